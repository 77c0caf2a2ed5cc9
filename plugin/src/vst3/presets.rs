//! Factory presets as files, `.vstpreset`: what a VST3 host's browser shows without the plug-in. Written when the bundle is
//! made, and read by hosts, which hand the component's chunk to `setState` as if it were a project.
//!
//! A whole state would replace a project's snapshots, profile and model. So the chunk only names a preset by its key, and
//! `setState` knows it from a state: it sets the preset's parameters and nothing else.
//!
//! The layout is the one that the VST3 documentation gives for presets: a header with the class, chunks, and a list of
//! them at the end; numbers are little-endian.

use crate::Tributary;
use nice_plug::prelude::{Plugin, Vst3Plugin};
use nice_plug::wrapper::vst3::vst3::ComRef;
use nice_plug::wrapper::vst3::vst3::Steinberg::IBStream_::IStreamSeekMode_::{kIBSeekCur, kIBSeekSet};
use nice_plug::wrapper::vst3::vst3::Steinberg::{IBStream, IBStreamTrait, int32, int64, kResultOk};
use serde_json::{Value, json};
use std::ptr::null_mut;
use tributary_engine::{PRESETS, Preset};

/// The one field of a chunk that names a preset.
const FIELD: &str = "tributary_preset";
/// Longest such chunk, in bytes.
const CHUNK_BYTES_MAX: usize = 128;
/// Bytes ahead of the first chunk: identifier, version, class, place of the list.
const HEADER_BYTES: usize = 4 + 4 + 32 + 8;

/// Every factory preset: the file's name, and its bytes.
pub fn preset_files() -> Vec<(String, Vec<u8>)> {
    PRESETS.iter().map(|preset| (format!("{}.vstpreset", preset.name), file(preset))).collect()
}

fn file(preset: &Preset) -> Vec<u8> {
    let chunks = [(b"Comp", json!({ FIELD: preset.key }).to_string()), (b"Info", info(preset))];
    let class: String = Tributary::VST3_CLASS_ID.iter().map(|byte| format!("{byte:02X}")).collect();
    let data: usize = chunks.iter().map(|(_, chunk)| chunk.len()).sum();
    let mut bytes = b"VST3".to_vec();
    bytes.extend(1_i32.to_le_bytes());
    bytes.extend(class.as_bytes());
    bytes.extend(((HEADER_BYTES + data) as i64).to_le_bytes());
    let mut list = b"List".to_vec();
    list.extend((chunks.len() as i32).to_le_bytes());
    for (name, chunk) in &chunks {
        list.extend(*name);
        list.extend((bytes.len() as i64).to_le_bytes());
        list.extend((chunk.len() as i64).to_le_bytes());
        bytes.extend(chunk.as_bytes());
    }
    bytes.extend(list);
    bytes
}

/// What a host's browser says of it. Names and sentences hold nothing that XML would have to escape.
fn info(preset: &Preset) -> String {
    let attributes = [
        ("MediaType", "VstPreset"),
        ("PlugInName", Tributary::NAME),
        ("PlugInVendor", Tributary::VENDOR),
        ("Name", preset.name),
        ("Comment", preset.words),
    ];
    let attribute =
        |(id, value)| format!("\t<Attribute id=\"{id}\" value=\"{value}\" type=\"string\" flags=\"\"/>\n");
    let attributes: String = attributes.into_iter().map(attribute).collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<MetaInfo>\n{attributes}</MetaInfo>\n")
}

/// The preset that a host's stream names, if it holds no state but that. Leaves the stream where it was.
///
/// # Safety
/// `stream` must be null or a live object.
pub(super) unsafe fn named_in(stream: *mut IBStream) -> Option<&'static Preset> {
    let mut bytes = [0_u8; CHUNK_BYTES_MAX];
    // SAFETY: by the caller's promise; the stream writes at most as many bytes as there is room for.
    let length = unsafe {
        let stream = ComRef::from_raw(stream)?;
        let (mut start, mut length): (int64, int32) = (0, 0);
        if stream.seek(0, kIBSeekCur as int32, &mut start) != kResultOk {
            return None;
        }
        let read = stream.read(bytes.as_mut_ptr().cast(), bytes.len() as int32, &mut length);
        if stream.seek(start, kIBSeekSet as int32, null_mut()) != kResultOk || read != kResultOk {
            return None;
        }
        usize::try_from(length).ok().filter(|length| *length < bytes.len())?
    };
    let chunk: Value = serde_json::from_slice(&bytes[..length]).ok()?;
    Preset::named(chunk.get(FIELD)?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_layout_of_the_format() {
        let files = preset_files();
        assert_eq!(files.len(), PRESETS.len());
        let (name, bytes) = &files[0];
        assert_eq!(name, "Gentle.vstpreset");
        let number = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
        assert_eq!((&bytes[..4], &bytes[4..8]), (&b"VST3"[..], &[1, 0, 0, 0][..]));
        let class = std::str::from_utf8(&bytes[8..40]).expect("digits");
        assert!(class.chars().all(|digit| digit.is_ascii_hexdigit()));
        let list = number(40) as usize;
        assert_eq!((&bytes[list..list + 4], &bytes[list + 4..list + 8]), (&b"List"[..], &[2, 0, 0, 0][..]));
        assert_eq!(bytes.len(), list + 8 + 2 * 20);
        let chunk = |index: usize| {
            let at = list + 8 + 20 * index;
            let (from, length) = (number(at + 4) as usize, number(at + 12) as usize);
            (&bytes[at..at + 4], std::str::from_utf8(&bytes[from..from + length]).expect("text"))
        };
        assert_eq!(chunk(0), (&b"Comp"[..], r#"{"tributary_preset":"gentle"}"#));
        let (name, info) = chunk(1);
        assert!(name == b"Info" && info.contains(r#"id="PlugInName" value="Tributary""#), "{info}");
        for preset in &PRESETS {
            assert!(!preset.words.contains(['<', '>', '&', '"']) && !preset.name.contains(['/', '"']));
        }
    }
}
