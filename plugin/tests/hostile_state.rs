//! A project file is input like any other: random bytes, mutated documents, huge numbers, deep nesting. Whatever it holds,
//! loading neither panics nor takes memory beyond a multiple of the file, what is kept is saved again unchanged, and the
//! next good state loads as ever. All seeds are fixed.

#![allow(clippy::unwrap_used)] // A test fails by panicking.
#![allow(unsafe_code)] // A counting allocator cannot be written without.

use nice_plug::prelude::*;
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use tributary::Tributary;
use tributary_dsp::profile::{CURVE_POINTS, EqualizationCorrection, LoudnessCorrection};
use tributary_dsp::{SongProfile, StemProfile};
use tributary_engine::test_support::Noise;

thread_local! {
    /// Bytes this thread holds, and the most it has held.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(bytes: isize) {
    HELD.with(|held| {
        let (now, peak) = held.get();
        held.set((now + bytes, peak.max(now + bytes)));
    });
}

// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory this thread holds at once while `work` runs, beyond what it held before.
fn peak_bytes<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(|held| {
        held.set((held.get().0, held.get().0));
        held.get().0
    });
    let result = work();
    (result, HELD.with(|held| held.get().1 - before) as usize)
}

type Fields = BTreeMap<String, String>;

/// The fields of a project in which something was learned.
fn good_fields() -> Fields {
    let curve: Vec<f32> = (0..CURVE_POINTS).map(|n| (n as f32 * 0.37).sin() * 14.9).collect();
    let stem = Some(StemProfile {
        equalization: Some(EqualizationCorrection {
            gain_db: [-1.5, 2.25],
            curves_db: vec![curve],
            fault: None,
        }),
        loudness: Some(LoudnessCorrection { gain_db: -3.5, limit: None }),
        ..StemProfile::default()
    });
    let learned = json!({
        "normalization_sha256": "ab".repeat(32),
        "learned_unix_s": 1_780_000_000,
        "length_s": 211.3,
        "profile": SongProfile(std::array::from_fn(|_| stem.clone())),
    });
    let mut fields = Tributary::default().params().serialize_fields();
    fields.insert("learned".into(), json!({ "format": 1, "learned": learned }).to_string());
    fields
}

/// Loads fields as the framework does, into a fresh plug-in, and returns what a save writes then.
fn load(fields: &Fields) -> Fields {
    let json = json!({ "version": "0.1.0", "params": {}, "fields": {} });
    let mut state: PluginState = serde_json::from_value(json).unwrap();
    state.fields.extend(fields.iter().map(|(name, text)| (name.clone(), text.clone())));
    Tributary::filter_state(&mut state);
    let plugin = Tributary::default();
    plugin.params().deserialize_fields(&state.fields);
    plugin.params().serialize_fields()
}

/// Loads a hostile field beside good ones and checks everything that must hold.
fn survives(name: &str, text: &str) {
    let mut fields = good_fields();
    let others: Fields =
        fields.iter().filter(|field| field.0 != name).map(|(n, t)| (n.clone(), t.clone())).collect();
    let input_bytes = text.len() + others.values().map(String::len).sum::<usize>();
    fields.insert(name.into(), text.into());
    let (saved, peak) = peak_bytes(|| load(&fields));
    assert!(peak < 200 * input_bytes + (1 << 20), "{peak} bytes for {input_bytes}");
    // Text that is no JSON is kept as a JSON string, in which a character takes six at most.
    assert!(saved[name].len() < 6 * text.len() + 4096, "{} bytes kept of {}", saved[name].len(), text.len());
    // Compared without printing: a profile is long.
    assert!(load(&saved) == saved, "what is kept of {name} is saved again unchanged");
    let untouched = load(&good_fields());
    for other in others.keys() {
        assert!(saved[other] == untouched[other], "{other} does not suffer from {name}");
    }
}

/// Every field that is saved.
fn names() -> Vec<String> {
    let names: Vec<String> = good_fields().into_keys().collect();
    assert!(names.iter().any(|name| name == "session") && names.iter().any(|name| name == "learned"));
    names
}

#[test]
fn the_meter_of_memory_reads_what_is_held() {
    let (bytes, peak) = peak_bytes(|| vec![0_u8; 1 << 20].len());
    assert!(bytes <= peak && peak < bytes + 4096);
}

#[test]
fn a_good_state_comes_back() {
    let good = good_fields();
    let saved = load(&good);
    assert!(load(&saved) == saved);
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(value(&saved["learned"])["learned"]["length_s"], json!(211.3));
}

#[test]
fn random_bytes_are_survived() {
    let mut random = Noise(71);
    for name in names() {
        for round in 0..300 {
            let length = random.below(1 << (round % 13));
            let bytes: Vec<u8> = (0..length)
                .map(|_| match round % 2 {
                    0 => random.below(256) as u8,
                    _ => b"{}[]\",:0123456789.eE+-tfn \\u"[random.below(28)],
                })
                .collect();
            survives(&name, &String::from_utf8_lossy(&bytes));
        }
    }
}

/// Values that parsers and arithmetic stumble over.
fn strange(random: &mut Noise) -> Value {
    match random.below(12) {
        0 => json!(1e308),
        1 => json!(-1e308),
        2 => json!(u64::MAX),
        3 => json!(i64::MIN),
        4 => json!(5e-324),
        5 => Value::Null,
        6 => json!("x".repeat(random.below(5_000))),
        7 => json!(vec![0.5; random.below(10_000)]),
        8 => (0..random.below(120)).fold(json!([]), |inner, _| json!([inner])),
        9 => json!({ "format": 1, "learned": {}, "": null }),
        10 => json!(true),
        _ => json!([]),
    }
}

/// Replaces a random node.
fn mutate(value: &mut Value, random: &mut Noise) {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    let chosen = random.below(children + 1);
    if chosen == children {
        *value = strange(random);
        return;
    }
    match value {
        Value::Array(items) => mutate(&mut items[chosen], random),
        Value::Object(members) => {
            if let Some((_, member)) = members.iter_mut().nth(chosen) {
                mutate(member, random);
            }
        }
        _ => {}
    }
}

#[test]
fn mutated_documents_are_survived() {
    let mut random = Noise(72);
    let good = load(&good_fields());
    for name in names() {
        for _ in 0..200 {
            let mut document: Value = serde_json::from_str(&good[&name]).unwrap();
            (0..=random.below(3)).for_each(|_| mutate(&mut document, &mut random));
            let mut text = document.to_string();
            if random.below(3) == 0 {
                // And the text itself: cut, or with a character of JSON put elsewhere.
                let at = (0..=random.below(text.len().max(1)))
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0);
                match random.below(2) {
                    0 => text.truncate(at),
                    _ => text.insert(at, ['{', '}', '[', ']', ',', '"', '9', 'e'][random.below(8)]),
                }
            }
            survives(&name, &text);
        }
    }
}

#[test]
fn depth_length_and_size_are_survived() {
    for name in names() {
        for text in [
            "[".repeat(100_000),
            format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
            format!("{}1{}", "{\"format\":".repeat(50_000), "}".repeat(50_000)),
            format!("{{\"format\":1e999,\"learned\":{}}}", "9".repeat(100_000)),
            format!("{{\"format\":{}}}", u64::MAX),
            format!("{{\"format\":1,\"learned\":[{}0]}}", "[0],".repeat(250_000)),
            format!("{{\"format\":1,\"report\":[{}0]}}", "{},".repeat(250_000)),
            format!("\"{}\"", "\\u0000".repeat(100_000)),
            "\u{0}".repeat(100_000),
        ] {
            survives(&name, &text);
        }
    }
}
