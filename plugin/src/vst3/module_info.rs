//! `moduleinfo.json`: what a host may know of the plug-in without loading its library.
//!
//! Written from what the factory itself answers, so that no name, version or number stands in two places. The keys are the
//! ones of the VST3 SDK since 3.7.5; JSON is a part of the JSON5 that it reads.

use super::factory::GetPluginFactory;
use nice_plug::wrapper::vst3::vst3::ComPtr;
use nice_plug::wrapper::vst3::vst3::Steinberg::PFactoryInfo_::FactoryFlags_;
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactoryTrait, PClassInfo2, PFactoryInfo,
    kResultOk,
};
use serde_json::{Value, json};
use std::ffi::c_char;

/// The document.
///
/// # Errors
/// When the factory does not answer.
pub fn module_info() -> Result<String, String> {
    let no_answer = || "the factory does not answer".to_owned();
    // SAFETY: the entry point hands out one reference, which the pointer takes over.
    let factory = unsafe { ComPtr::from_raw(GetPluginFactory().cast::<IPluginFactory>()) };
    let factory = factory.and_then(|factory| factory.cast::<IPluginFactory2>()).ok_or_else(no_answer)?;
    // SAFETY: plain data for the factory to fill.
    let (info, classes) = unsafe {
        let mut info: PFactoryInfo = std::mem::zeroed();
        if factory.getFactoryInfo(&mut info) != kResultOk {
            return Err(no_answer());
        }
        let class = |index| {
            let mut class: PClassInfo2 = std::mem::zeroed();
            let result = factory.getClassInfo2(index, &mut class);
            (result == kResultOk).then_some(class).ok_or_else(no_answer)
        };
        (info, (0..factory.countClasses()).map(class).collect::<Result<Vec<_>, _>>()?)
    };
    let first = classes.first().ok_or_else(no_answer)?;
    // The enumeration's type differs between systems.
    let flag = |flag: i64| i64::from(info.flags) & flag != 0;
    let document = json!({
        "Name": text(&first.name),
        "Version": text(&first.version),
        "Factory Info": {
            "Vendor": text(&info.vendor),
            "URL": text(&info.url),
            "E-Mail": text(&info.email),
            "Flags": {
                "Unicode": flag(i64::from(FactoryFlags_::kUnicode)),
                "Classes Discardable": flag(i64::from(FactoryFlags_::kClassesDiscardable)),
                "Component Non Discardable": flag(i64::from(FactoryFlags_::kComponentNonDiscardable)),
            },
        },
        "Classes": classes.iter().map(class_info).collect::<Vec<Value>>(),
    });
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn class_info(class: &PClassInfo2) -> Value {
    let number: String = class.cid.iter().map(|byte| format!("{:02X}", *byte as u8)).collect();
    json!({
        "CID": number,
        "Category": text(&class.category),
        "Name": text(&class.name),
        "Vendor": text(&class.vendor),
        "Version": text(&class.version),
        "SDKVersion": text(&class.sdkVersion),
        "Sub Categories": text(&class.subCategories).split('|').collect::<Vec<_>>(),
        "Class Flags": class.classFlags,
        "Cardinality": class.cardinality,
        "Snapshots": [],
    })
}

/// A field of characters up to its zero.
fn text(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|unit| *unit as u8).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tributary;
    use nice_plug::prelude::{Plugin, Vst3Plugin};

    #[test]
    fn it_says_what_the_factory_says() {
        let document: Value = serde_json::from_str(&module_info().expect("a document")).expect("JSON");
        assert_eq!(document["Name"], Tributary::NAME);
        assert_eq!(document["Version"], Tributary::VERSION);
        assert_eq!(document["Factory Info"]["Vendor"], Tributary::VENDOR);
        assert_eq!(document["Factory Info"]["Flags"]["Unicode"], true);
        let classes = document["Classes"].as_array().expect("a list");
        assert_eq!(classes.len(), 1);
        let number: String =
            Tributary::PLATFORM_VST3_CLASS_ID.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(classes[0]["CID"], number);
        assert_eq!(classes[0]["Category"], "Audio Module Class");
        assert_eq!(classes[0]["Sub Categories"], json!(["Fx", "Stereo"]));
        assert_eq!(classes[0]["Version"], Tributary::VERSION);
    }
}
