//! The VST3 instance in a host that counts, through its interfaces.

mod host;

use super::{factory, handler};
use crate::engines::Engines;
use crate::params::TributaryParams;
use crate::parts::Parts;
use crate::saved::Slot;
use host::{Changes, Host, Memory};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessModes_::{kOffline, kPrefetch, kRealtime};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::SymbolicSampleSizes_::kSample32;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IAudioProcessor, IAudioProcessorTrait, IComponent, IComponentHandler, IComponentTrait, IEditController,
    IEditControllerTrait, IParameterChanges, ParamID, ParameterInfo, ProcessData, ProcessSetup,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{IBStream, TBool, int32, kInvalidArgument, kResultOk};
use nice_plug::wrapper::vst3::vst3::{ComPtr, ComRef, ComWrapper};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tributary_engine::LatencyMode;

/// An instance with its interfaces and its host.
struct Loaded {
    component: ComPtr<IComponent>,
    controller: ComPtr<IEditController>,
    processor: ComPtr<IAudioProcessor>,
    host: ComWrapper<Host>,
    engines: Arc<Engines>,
    params: Arc<TributaryParams>,
}

fn load() -> Loaded {
    let (wrapper, Parts { engines, params, .. }) = factory::build().expect("an instance");
    let host = ComWrapper::new(Host::default());
    let controller = wrapper.to_com_ptr::<IEditController>().expect("an interface");
    let handler = host.as_com_ref::<IComponentHandler>().expect("an interface");
    // SAFETY: a live handler.
    assert_eq!(unsafe { controller.setComponentHandler(handler.as_ptr()) }, kResultOk);
    Loaded {
        component: wrapper.to_com_ptr().expect("an interface"),
        processor: wrapper.to_com_ptr().expect("an interface"),
        controller,
        host,
        engines,
        params,
    }
}

impl Loaded {
    fn set_up(&self, block: int32) {
        let mut setup = ProcessSetup {
            processMode: kRealtime as int32,
            symbolicSampleSize: kSample32 as int32,
            maxSamplesPerBlock: block,
            sampleRate: 48_000.0,
        };
        // SAFETY: the calls of a host, in a host's order. So below.
        unsafe {
            assert_eq!(self.processor.setupProcessing(&mut setup), kResultOk);
            assert_eq!(self.component.setActive(1), kResultOk);
        }
    }

    fn parameter(&self, title: &str) -> ParameterInfo {
        let all = 0..unsafe { self.controller.getParameterCount() };
        let info = |index| unsafe {
            let mut info: ParameterInfo = std::mem::zeroed();
            assert_eq!(self.controller.getParameterInfo(index, &mut info), kResultOk);
            info
        };
        let is_it = |info: &ParameterInfo| {
            info.title
                .iter()
                .copied()
                .eq(title.encode_utf16().chain(std::iter::repeat(0)).take(info.title.len()))
        };
        all.map(info).find(is_it).expect("a parameter")
    }

    fn value(&self, id: ParamID) -> f64 {
        unsafe { self.controller.getParamNormalized(id) }
    }

    fn set(&self, id: ParamID, value: f64) {
        assert_eq!(unsafe { self.controller.setParamNormalized(id, value) }, kResultOk);
    }

    /// A block without audio that brings a value.
    fn bring(&self, id: ParamID, value: f64) {
        let changes = Changes::new(id, value);
        unsafe {
            let mut data: ProcessData = std::mem::zeroed();
            data.symbolicSampleSize = kSample32 as int32;
            data.inputParameterChanges = changes.as_com_ref::<IParameterChanges>().expect("it").as_ptr();
            assert_eq!(self.processor.process(&mut data), kResultOk);
        }
    }

    fn processing(&self, state: bool) {
        assert_eq!(unsafe { self.processor.setProcessing(TBool::from(state)) }, kResultOk);
    }

    fn save(&self) -> ComWrapper<Memory> {
        let memory = ComWrapper::new(Memory::default());
        unsafe {
            let stream = memory.as_com_ref::<IBStream>().expect("an interface");
            assert_eq!(self.component.getState(stream.as_ptr()), kResultOk);
        }
        memory
    }

    fn restore(&self, memory: &ComWrapper<Memory>) {
        memory.rewind();
        let stream: ComRef<'_, IBStream> = memory.as_com_ref().expect("an interface");
        assert_eq!(unsafe { self.component.setState(stream.as_ptr()) }, kResultOk);
        assert_eq!(unsafe { self.controller.setComponentState(stream.as_ptr()) }, kResultOk);
    }

    fn restarts(&self) -> u32 {
        self.host.restarts.load(Relaxed)
    }
}

#[test]
fn what_is_set_before_the_first_block_is_saved() {
    let plugin = load();
    plugin.set_up(512);
    plugin.processing(true);
    let gain = plugin.parameter("Output gain").id;
    let bypass = plugin.parameter("Bypass").id;
    plugin.set(gain, 0.75);
    plugin.set(bypass, 1.0);
    assert_eq!((plugin.value(gain), plugin.value(bypass)), (0.75, 1.0), "read back");
    let saved = plugin.save();
    let other = load();
    other.restore(&saved);
    assert_eq!((other.value(gain), other.value(bypass)), (0.75, 1.0));

    // The same while blocks come, and a block's own value is newer.
    plugin.set(gain, 0.25);
    plugin.bring(gain, 0.5);
    assert_eq!(plugin.value(gain), 0.5);
    plugin.set(gain, 0.25);
    other.restore(&plugin.save());
    assert_eq!(other.value(gain), 0.25);
    // A state that is loaded is newer too.
    plugin.set(gain, 1.0);
    plugin.restore(&saved);
    assert_eq!(plugin.value(gain), 0.75);
    // And the end of processing loses nothing.
    plugin.set(gain, 0.0);
    plugin.processing(false);
    assert_eq!(plugin.params.gain_db.value(), -24.0);
    plugin.set(gain, 1.0);
    assert_eq!(plugin.params.gain_db.value(), 24.0);
    // SAFETY: what a host may do.
    unsafe {
        plugin.processing(true);
        assert_eq!(plugin.controller.setParamNormalized(gain, f64::NAN), kInvalidArgument);
        assert_eq!(plugin.controller.setParamNormalized(7, 0.5), kInvalidArgument);
    }
}

/// Bypass survives however the host sets it: by a block without audio, or by the controller while processing.
#[test]
fn bypass_is_kept_as_validators_try_it() {
    for by_block in [true, false] {
        let plugin = load();
        plugin.set_up(512);
        unsafe { plugin.component.setActive(0) };
        let bypass = plugin.parameter("Bypass");
        assert_eq!(bypass.stepCount, 1);
        let set = |value| {
            plugin.processing(true);
            if by_block {
                plugin.bring(bypass.id, value)
            } else {
                plugin.set(bypass.id, value)
            }
            plugin.processing(false);
        };
        set(1.0);
        let saved = plugin.save();
        set(0.0);
        assert_eq!(plugin.value(bypass.id), 0.0);
        plugin.restore(&saved);
        assert_eq!(plugin.value(bypass.id), 1.0, "by a block: {by_block}");
    }
}

#[test]
fn a_host_that_reads_the_latency_is_asked_for_no_restart_and_one_that_does_not_for_one() {
    let plugin = load();
    plugin.set_up(512);
    assert!(unsafe { plugin.processor.getLatencySamples() } > 0);
    plugin.processing(true);
    assert_eq!(plugin.restarts(), 0, "the first load");
    plugin.processing(false);

    plugin.engines.choose_latency(LatencyMode::Monitor);
    assert!(plugin.engines.take_restart(), "the one restart, asked for by a block or the editor");
    unsafe { plugin.component.setActive(0) };
    // Without a model every mode has the same latency, so another block's length stands for another mode.
    plugin.set_up(4096);
    unsafe { plugin.processor.getLatencySamples() };
    plugin.processing(true);
    plugin.processing(false);
    assert!(!plugin.engines.take_restart());

    // Asked before activating only.
    unsafe { plugin.component.setActive(0) };
    unsafe { plugin.processor.getLatencySamples() };
    let before = plugin.restarts();
    plugin.set_up(1024);
    plugin.processing(true);
    assert_eq!(plugin.restarts(), before + 1);
    assert_eq!(plugin.host.flags.load(Relaxed), handler::LATENCY_CHANGED);
    assert!(!plugin.engines.take_restart(), "once");
    plugin.processing(false);
    unsafe { plugin.component.setActive(0) };
    plugin.set_up(1024);
    plugin.processing(true);
    assert_eq!(plugin.restarts(), before + 1, "nothing new");
}

#[test]
fn the_host_is_told_that_the_project_has_changed() {
    let plugin = load();
    let dirty = || plugin.host.dirty.load(Relaxed);
    plugin.engines.choose_latency(LatencyMode::Low);
    assert_eq!(dirty(), 1);
    plugin.restore(&plugin.save());
    assert_eq!(dirty(), 1, "what the host itself does is no news");
    // From elsewhere: with the host's next call on its own thread.
    std::thread::scope(|scope| {
        scope.spawn(|| plugin.engines.choose_latency(LatencyMode::High));
    });
    assert_eq!(dirty(), 1);
    plugin.value(1);
    assert_eq!(dirty(), 2);
    plugin.value(1);
    assert_eq!(dirty(), 2);
    // A handler that is taken away is not called any more.
    unsafe { plugin.controller.setComponentHandler(null_mut()) };
    plugin.engines.choose_latency(LatencyMode::Standard);
    assert_eq!(dirty(), 2);
}

#[test]
fn text_is_read_generously_and_calls_out_of_order_do_no_harm() {
    let plugin = load();
    let read = |title: &str, typed: &str| {
        let mut typed: Vec<_> = typed.encode_utf16().chain([0]).map(|unit| unit as _).collect();
        let mut value = f64::NAN;
        let id = plugin.parameter(title).id;
        let result = unsafe { plugin.controller.getParamValueByString(id, typed.as_mut_ptr(), &mut value) };
        (result == kResultOk).then_some(value)
    };
    assert_eq!(read("Output gain", "\u{2212}12,0 dB"), Some(0.25));
    assert_eq!(read("Bypass", "on"), Some(1.0));
    assert_eq!(read("Dry source", "SUM OF STEMS"), Some(1.0));
    assert_eq!(read("Dry source", "neither"), None);
    assert_eq!(read("Mix", "half"), None);
    // SAFETY: what a host must not do, and some do.
    unsafe {
        let mut info: ParameterInfo = std::mem::zeroed();
        let count = plugin.controller.getParameterCount();
        for index in [-1, count, count + 1, int32::MAX, int32::MIN] {
            assert_eq!(plugin.controller.getParameterInfo(index, &mut info), kInvalidArgument, "{index}");
        }
        let mut value = 0.0;
        assert_eq!(plugin.controller.getParamValueByString(1, null_mut(), &mut value), kInvalidArgument);
        assert_eq!(plugin.processor.setupProcessing(null_mut()), kInvalidArgument);
        assert_eq!(plugin.processor.process(null_mut()), kInvalidArgument);
        let mut data: ProcessData = std::mem::zeroed();
        assert_ne!(plugin.processor.process(&mut data), kResultOk, "not set up");
    }
}

#[test]
fn what_a_block_says_of_rendering_counts() {
    let plugin = load();
    plugin.set_up(64);
    plugin.processing(true);
    for (mode, offline) in [(kRealtime, false), (kOffline, true), (kPrefetch, false), (kOffline, true)] {
        // SAFETY: a block without audio.
        unsafe {
            let mut data: ProcessData = std::mem::zeroed();
            data.symbolicSampleSize = kSample32 as int32;
            data.processMode = mode as int32;
            assert_eq!(plugin.processor.process(&mut data), kResultOk);
        }
        assert_eq!(plugin.engines.host().is_offline(), offline, "mode {mode}");
    }
}

/// The component's chunk of a preset's file, as a host hands it over.
fn component_chunk(file: &[u8]) -> &[u8] {
    let number = |at: usize| i64::from_le_bytes(file[at..at + 8].try_into().expect("eight")) as usize;
    let entry = number(40) + 8;
    assert_eq!(&file[entry..entry + 4], b"Comp");
    &file[number(entry + 4)..][..number(entry + 12)]
}

#[test]
fn a_presets_file_sets_its_parameters_and_nothing_else() {
    let plugin = load();
    let (trim, mute) = (plugin.parameter("Vocals trim").id, plugin.parameter("Bass mute").id);
    plugin.set(mute, 1.0);
    plugin.engines.store("Store A".into(), Slot::A, Some(plugin.params.values()));
    let files = super::preset_files();
    let (_, file) = files.iter().find(|(name, _)| name == "Voice forward.vstpreset").expect("a file");
    plugin.restore(&ComWrapper::new(Memory::of(component_chunk(file))));
    assert!((plugin.value(trim) - 14.0 / 24.0).abs() < 1e-6, "2 dB of ±12: {}", plugin.value(trim));
    assert_eq!((plugin.value(mute), plugin.params.snapshots.get(Slot::A).is_some()), (1.0, true));
    assert_eq!(plugin.engines.steps()[0].as_deref(), Some("Preset Voice forward"));
    assert_eq!(plugin.restarts(), 1, "the host is to read the values");

    // What was saved before still is a state.
    let saved = plugin.save();
    plugin.set(trim, 0.5);
    plugin.restore(&saved);
    assert!((plugin.value(trim) - 14.0 / 24.0).abs() < 1e-6);
}
