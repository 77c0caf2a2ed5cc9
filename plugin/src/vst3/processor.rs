//! `IAudioProcessor`: all four sidechains, the offline flag in time and of every block, and values that a block brings.

use super::handler::LATENCY_CHANGED;
use super::instance::{Instance, Table};
use crate::ports::INPUT_BUSES;
use nice_plug::wrapper::vst3::vst3::ComRef;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, IAudioProcessor, IAudioProcessorVtbl, IComponentHandlerTrait,
    IParamValueQueueTrait, IParameterChangesTrait, ProcessData, ProcessModes_::kOffline, ProcessSetup,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    TBool, int32, kInvalidArgument, kNotInitialized, kResultOk, tresult, uint32,
};
use std::ptr::null_mut;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;

pub(super) fn replaced(framework: IAudioProcessorVtbl) -> IAudioProcessorVtbl {
    IAudioProcessorVtbl { getLatencySamples, setupProcessing, setProcessing, process, ..framework }
}

unsafe extern "system" fn getLatencySamples(this: *mut IAudioProcessor) -> uint32 {
    // SAFETY: the host's own arguments, for an object whose table is ours. So below.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        let samples = (framework.getLatencySamples)(this);
        instance.link.latency_was_read(samples);
        samples
    }
}

/// Calls the framework twice: the first call stores the mode, the second stores the set-up *with* that mode.
unsafe extern "system" fn setupProcessing(this: *mut IAudioProcessor, setup: *mut ProcessSetup) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        if setup.is_null() {
            return kInvalidArgument;
        }
        let first = (framework.setupProcessing)(this, setup);
        instance.is_set_up.fetch_or(first == kResultOk, SeqCst);
        if first != kResultOk { first } else { (framework.setupProcessing)(this, setup) }
    }
}

unsafe extern "system" fn setProcessing(this: *mut IAudioProcessor, state: TBool) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.is_processing.store(state != 0, SeqCst);
        if state == 0 {
            instance.held.apply();
        }
        let result = (framework.setProcessing)(this, state);
        if state != 0 && instance.is_main_thread() && instance.link.take_untold_latency() {
            announce_latency(instance);
        }
        result
    }
}

/// A host that reads the latency before it activates only is asked to read it again, while it still can before a block.
fn announce_latency(instance: &Instance) {
    let handler = instance.handler.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(handler) = handler {
        // SAFETY: the host's own object, on its main thread.
        unsafe { handler.restartComponent(LATENCY_CHANGED) };
    }
}

/// What a block says of the mode counts: hosts like Ardour set up for playing and render in the blocks only.
///
/// Passes the host's block on with exactly five input buses, absent ones empty, and as many outputs *counted*; the
/// plug-in has no auxiliary outputs, so the framework looks at the first one only.
unsafe extern "system" fn process(this: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
    // SAFETY: `data` obeys the VST3 contract of `IAudioProcessor::process`; the copies live until the call returns.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        if data.is_null() {
            return kInvalidArgument;
        }
        // The framework takes a set-up for granted.
        if !instance.is_set_up.load(SeqCst) {
            return kNotInitialized;
        }
        instance.link.says_offline((*data).processMode == kOffline as int32);
        drop_brought_values(instance, &*data);
        if (*data).numSamples <= 0 || !usable((*data).outputs, (*data).numOutputs) {
            return (framework.process)(this, data); // a parameter flush, or an error the framework reports
        }
        let mut block = *data;
        let mut inputs = std::array::from_fn::<_, INPUT_BUSES, _>(|bus| input_bus(&block, bus));
        let output = &mut *block.outputs;
        output.silenceFlags = 0;
        if inputs[0].numChannels == 0 {
            clear(output, block.numSamples); // the framework would leave the host's old memory in place
        }
        inputs[0].numChannels = inputs[0].numChannels.min(output.numChannels);
        block.inputs = inputs.as_mut_ptr();
        block.numInputs = INPUT_BUSES as int32;
        block.numOutputs = INPUT_BUSES as int32;
        (framework.process)(this, &mut block)
    }
}

/// A value that comes with the block is newer than one that was set in a window.
unsafe fn drop_brought_values(instance: &Instance, data: &ProcessData) {
    // SAFETY: null or the host's live objects, by the contract of `process`.
    unsafe {
        let Some(changes) = ComRef::from_raw(data.inputParameterChanges) else { return };
        for index in 0..changes.getParameterCount() {
            if let Some(queue) = ComRef::from_raw(changes.getParameterData(index))
                && queue.getPointCount() > 0
            {
                instance.held.drop_one(queue.getParameterId());
            }
        }
    }
}

/// One input bus as the host gave it, or an empty one when it is absent or any of its channels is.
unsafe fn input_bus(data: &ProcessData, bus: usize) -> AudioBusBuffers {
    let empty = AudioBusBuffers {
        numChannels: 0,
        silenceFlags: 0,
        __field0: AudioBusBuffers__type0 { channelBuffers32: null_mut() },
    };
    if data.inputs.is_null() || bus as int32 >= data.numInputs {
        return empty;
    }
    // SAFETY: `bus < numInputs`, so the host's array holds it.
    unsafe {
        let given = data.inputs.add(bus);
        if usable(given, 1) { *given } else { empty }
    }
}

/// Whether the first bus of `buses` is there with all its channel pointers.
unsafe fn usable(buses: *const AudioBusBuffers, count: int32) -> bool {
    if buses.is_null() || count <= 0 {
        return false;
    }
    // SAFETY: `count > 0`, so one bus can be read, and its channel array holds `numChannels` pointers.
    unsafe {
        let bus = &*buses;
        let channels = bus.__field0.channelBuffers32;
        bus.numChannels > 0
            && !channels.is_null()
            && (0..bus.numChannels as usize).all(|channel| !(*channels.add(channel)).is_null())
    }
}

unsafe fn clear(bus: &mut AudioBusBuffers, frames: int32) {
    for channel in 0..bus.numChannels.max(0) as usize {
        // SAFETY: checked by `usable`; the host promises `numSamples` samples a channel.
        unsafe { std::ptr::write_bytes(*bus.__field0.channelBuffers32.add(channel), 0, frames as usize) };
    }
}
