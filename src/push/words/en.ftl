# What pushes say, in English.
messages = { $count ->
    [one] New message
   *[other] { $count } new messages
}
digest = { $count } new messages in { $chats } chats
messages-from = { $count ->
    [one] New message from { $sender }
   *[other] { $count } new messages, the last from { $sender }
}
said = { $sender }: { $what }
photos = { $count ->
    [one] 📷 Photo
   *[other] 📷 { $count } photos
}
videos = { $count ->
    [one] 🎥 Video
   *[other] 🎥 { $count } videos
}
sounds = { $count ->
    [one] 🎵 Audio
   *[other] 🎵 { $count } audio files
}
files = { $count ->
    [one] 📄 { $name }
   *[other] 📄 { $count } files
}
attachments = 📎 { $count } attachments
