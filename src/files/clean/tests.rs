use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use super::*;

const SECRET: &[u8] = b"52.2297N 21.0122E";

/// A picture of 40 by 30, with a face in it.
fn picture(format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(40, 30, |x, y| {
        Rgb([6 * u8::try_from(x).unwrap(), 8 * u8::try_from(y).unwrap(), 90])
    });
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Exif data with an orientation, and where it was taken.
fn tiff(orientation: u8) -> Vec<u8> {
    [&exif::minimal(orientation), SECRET].concat()
}

type Kept = (Vec<u8>, Option<(u32, u32)>);

/// What a filter keeps of some bytes that come in portions of this size.
fn kept(content_type: &str, bytes: &[u8], portion: usize) -> Result<Kept, Refused> {
    let (mut filter, mut kept) = (filter(content_type), Vec::new());
    for bytes in bytes.chunks(portion) {
        filter.push(bytes, &mut kept)?;
    }
    let size = filter.finish()?;
    Ok((kept, size))
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// The secret is gone, however the bytes came, and the picture is as it was.
fn check(content_type: &str, plain: &[u8], loaded: &[u8], size: (u32, u32)) -> Vec<u8> {
    assert!(holds(loaded, SECRET));
    let (clean, found) = kept(content_type, loaded, loaded.len()).unwrap();
    assert_eq!(found, Some(size));
    assert!(!holds(&clean, SECRET));
    for portion in [1, 7, 64] {
        assert_eq!(kept(content_type, loaded, portion).unwrap().0, clean, "by {portion}");
    }
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8();
    assert_eq!(pixels(&clean), pixels(plain));
    // What was cleaned is clean: nothing more goes.
    assert_eq!(kept(content_type, &clean, 100).unwrap().0, clean);
    // Wherever it is cut, it is refused.
    for end in (1..clean.len()).step_by(clean.len() / 50 + 1) {
        let cut = kept(content_type, &clean[..end], 64);
        assert!(matches!(cut, Err(Refused::Broken(_))), "{end} of {}", clean.len());
    }
    clean
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker][..], &length, content].concat()
}

#[test]
fn a_jpeg_keeps_its_pixels_and_which_way_up_it_is() {
    let plain = picture(ImageFormat::Jpeg);
    let loaded = [
        &plain[..2],
        &segment(0xe1, &[b"Exif\0\0", &tiff(6)[..]].concat()),
        &segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()),
        &segment(0xe2, &[b"MPF\0", SECRET].concat()),
        &segment(0xe2, b"ICC_PROFILE\0\x01\x01colours"),
        &segment(0xe0, &[b"JFIF\0\x01\x02\0\0\x01\0\x01\x02\x03", SECRET].concat()),
        &segment(0xe0, &[b"JFXX\0", SECRET].concat()),
        &segment(0xed, SECRET),
        &segment(0xee, SECRET),
        &segment(0xfe, SECRET),
        &plain[2..],
        // A second picture behind the first.
        &plain,
        SECRET,
    ]
    .concat();
    let clean = check("image/jpeg", &plain, &loaded, (30, 40));
    assert!(holds(&clean, b"colours"));
    assert!(holds(&clean, &[&b"Exif\0\0"[..], &exif::minimal(6)].concat()));
    assert_eq!(kept("image/jpeg", &plain, 9).unwrap().1, Some((40, 30)));
}

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [&name[..], content].concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[..], &named, &crc32fast::hash(&named).to_be_bytes()].concat()
}

#[test]
fn a_png_keeps_its_pixels_and_which_way_up_it_is() {
    let plain = picture(ImageFormat::Png);
    let (head, rest) = plain.split_at(8 + 25);
    let loaded = [
        head,
        &chunk(*b"tEXt", &[b"Comment\0", SECRET].concat()),
        &chunk(*b"eXIf", &tiff(8)),
        &chunk(*b"gAMA", &45_455_u32.to_be_bytes()),
        &chunk(*b"iTXt", SECRET),
        &chunk(*b"prVt", SECRET),
        rest,
        SECRET,
    ]
    .concat();
    let clean = check("image/png", &plain, &loaded, (30, 40));
    assert!(holds(&clean, b"gAMA"));
    assert!(holds(&clean, &chunk(*b"eXIf", &exif::minimal(8))));
}

fn riff(chunks: &[&[u8]]) -> Vec<u8> {
    let content = chunks.concat();
    let length = u32::try_from(content.len() + 4).unwrap().to_le_bytes();
    [&b"RIFF"[..], &length, b"WEBP", &content].concat()
}

fn webp_chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let filled = &[0][..content.len() % 2];
    [&name[..], &length, content, filled].concat()
}

#[test]
fn a_webp_keeps_its_pixels_and_which_way_up_it_is() {
    let plain = picture(ImageFormat::WebP);
    assert_eq!(kept("image/webp", &plain, 5).unwrap(), (plain.clone(), Some((40, 30))));
    let extended = webp_chunk(*b"VP8X", &[0x0c, 0, 0, 0, 39, 0, 0, 29, 0, 0]);
    let exif = webp_chunk(*b"EXIF", &tiff(6));
    let xmp = webp_chunk(*b"XMP ", SECRET);
    let mut loaded = riff(&[&extended, &plain[12..], &exif, &xmp]);
    let length = loaded.len();
    loaded.extend_from_slice(SECRET);
    let clean = check("image/webp", &plain, &loaded, (30, 40));
    assert_eq!(clean.len(), length);
    assert!(holds(&clean, &exif::minimal(6)));
    assert!(!holds(&clean, b"XMP "));
}

#[test]
fn a_gif_keeps_its_pixels() {
    let plain = picture(ImageFormat::Gif);
    let table = gif_table(plain[10]);
    let (head, rest) = plain.split_at(13 + table);
    let block = |content: &[u8]| [&[u8::try_from(content.len()).unwrap()], content].concat();
    let loaded = [
        head,
        b"!\xfe",
        &block(SECRET),
        b"\0",
        b"!\xff",
        &block(b"XMP DataXMP"),
        &block(SECRET),
        b"\0",
        b"!\xff",
        &block(b"NETSCAPE2.0"),
        &block(&[1, 0, 0]),
        b"\0",
        rest,
        SECRET,
    ]
    .concat();
    let clean = check("image/gif", &plain, &loaded, (40, 30));
    assert!(holds(&clean, b"NETSCAPE2.0"));
}

fn gif_table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

#[test]
fn a_picture_of_too_many_pixels_is_refused_by_its_first_bytes() {
    let header = |width: u32, height: u32| {
        let content = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
        [b"\x89PNG\r\n\x1a\n", &chunk(*b"IHDR", &content)[..]].concat()
    };
    for (width, height) in [(50_000, 50_000), (16_385, 1), (1, 16_385), (8_000, 5_001)] {
        let refused = kept("image/png", &header(width, height), 100);
        assert!(matches!(refused, Err(Refused::Pixels)), "{width} by {height}");
    }
    let refused = kept("image/png", &header(0, 5), 100);
    assert!(matches!(refused, Err(Refused::Broken(_))));
    let (mut filter, mut out) = (filter("image/png"), Vec::new());
    filter.push(&header(8_000, 5_000), &mut out).unwrap();
    let large = [&b"GIF89a"[..], &[0xff, 0xff, 0xff, 0xff, 0, 0, 0]].concat();
    assert!(matches!(kept("image/gif", &large, 100), Err(Refused::Pixels)));
}

#[test]
fn text_is_text_to_its_end() {
    let text = "কেমন আছ? 👋\r\n\tভালো।".as_bytes();
    for portion in [1, 2, 3, 100] {
        assert_eq!(kept("text/plain", text, portion).unwrap(), (text.to_vec(), None));
    }
    for bad in [&b"caf\xe9"[..], b"a\0b", b"\x1b[2J", &text[..text.len() - 1]] {
        assert!(matches!(kept("text/plain", bad, 2), Err(Refused::Type)), "{bad:?}");
    }
}

/// Whatever the bytes are, a filter ends, and keeps no more than came (and an orientation).
#[test]
fn no_bytes_upset_a_filter() {
    use proptest::prelude::*;
    let kinds = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP];
    let pictures = kinds.map(picture);
    let types = ["image/jpeg", "image/png", "image/gif", "image/webp"];
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8);
    proptest!(|(of in 0..4_usize, changes in changes, portion in 1..200_usize)| {
        let mut bytes = pictures[of].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok((kept, _)) = kept(types[of], &bytes, portion) {
            prop_assert!(kept.len() <= bytes.len() + 64);
        }
    });
}
