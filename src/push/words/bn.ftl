# What pushes say, in Bengali.
messages = { $count ->
    [one] নতুন বার্তা
   *[other] { $count }টি নতুন বার্তা
}
digest = { $chats }টি চ্যাটে { $count }টি নতুন বার্তা
messages-from = { $count ->
    [one] { $sender } নতুন বার্তা পাঠিয়েছেন
   *[other] { $count }টি নতুন বার্তা, শেষটি { $sender } পাঠিয়েছেন
}
said = { $sender }: { $what }
photos = { $count ->
    [one] 📷 ছবি
   *[other] 📷 { $count }টি ছবি
}
videos = { $count ->
    [one] 🎥 ভিডিও
   *[other] 🎥 { $count }টি ভিডিও
}
sounds = { $count ->
    [one] 🎵 অডিও
   *[other] 🎵 { $count }টি অডিও
}
files = { $count ->
    [one] 📄 { $name }
   *[other] 📄 { $count }টি ফাইল
}
attachments = 📎 { $count }টি ফাইল
