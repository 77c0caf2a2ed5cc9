//! The window: publishes copies to [`draw`](super::draw) and takes its edits to the host.
//!
//! A frame is drawn when the user does something and when [`Watch`] finds something new, at most 30 times a second; nothing
//! is looked at while no window is open.

#![allow(unsafe_code)] // Waiting for the graphics driver is a foreign function.

use super::appearance::Appearance;
use super::at_once;
use super::copies::{Copies, Page};
use super::edit::{Control, Edit, LearningAction, StemControl};
use super::held::Held;
use super::history::History;
use super::open_window::{Life, OpenWindow, OpenWindowHandle, life};
use super::size::{EditorSize, MIN_SIZE, scale};
use super::theme;
use super::watch::Watch;
use crate::engines::Engines;
use crate::models::ModelChoice;
use crate::params::TributaryParams;
use crate::targets::TargetsChoice;
use crate::values::Values;
use crate::view;
use egui_glow::glow::HasContext;
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::{LogicalSize, NativeSize};
use nice_plug::editor::{
    Editor, HostMethods, ParentWindowHandle, ResizeHint, SizeConstraints, SpawnedEditor,
};
use nice_plug::params::Param;
use nice_plug::prelude::{AtomicF32, ParamSetter};
use nice_plug_egui::{
    EguiEditorState, EguiNiceSettings, Frame, GraphicsConfig, NiceEguiApp, RepaintNotifier, baseview,
    create_egui_editor,
};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tributary_dsp::Stem;

/// How often the framework looks for repaints requested from outside. [`Watch`] sees all there is to see, so these are not
/// needed; and one that comes before the window is mapped stops the X11 backend from ever painting (its frame request
/// goes out before it listens for the answer, and it never sends a second).
const OUTSIDE_REPAINT_INTERVAL: Duration = Duration::from_secs(2);

/// How often an open editor looks whether a missing file has come back.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// How large a change of the worker's load alone is drawn, and how often: it is never still, and one reads it once in a while.
const LOAD_STEP: f32 = 0.03;
const LOAD_INTERVAL: Duration = Duration::from_secs(3);

/// A frame that is asked for with no delay at all is drawn twice.
const AT_ONCE: Duration = Duration::from_micros(1);

/// The editor's window.
struct Window {
    /// Until the window is built.
    life: Option<Life>,
    params: Arc<TributaryParams>,
    engines: Arc<Engines>,
    context: Option<GuiContext>,
    scale: Arc<AtomicF32>,
    /// How large everything is drawn, beside the screen's own scale.
    zoom: f32,
    amounts_open: bool,
    enlarged: Option<Stem>,
    page: Page,
    history_open: bool,
    history: History,
    held: Held,
    /// Since the first frame.
    watch: Option<Watch<Seen>>,
}

/// All that a frame shows.
#[derive(PartialEq)]
struct Seen {
    copies: Copies,
    values: Values,
    bypass: bool,
    size: EditorSize,
    appearance: Appearance,
}

impl Seen {
    /// What there is to see now, with this of a stem in full.
    fn now(engines: &Engines, params: &TributaryParams, in_full: Option<(Stem, Page)>) -> Self {
        Self {
            copies: view::copies(engines, params, in_full),
            values: params.values(),
            bypass: params.bypass.value(),
            size: params.window.chosen(),
            appearance: params.appearance.chosen(),
        }
    }

    /// What is shown in full.
    fn in_full(&self) -> Option<(Stem, Page)> {
        self.copies.enlarged.map(|stem| (stem, self.copies.page))
    }
}

/// The editor of one plug-in instance. It opens a window of the project's size each time: the framework's own editor keeps
/// the size it was made with, which is before a project is loaded.
pub struct WindowEditor {
    params: Arc<TributaryParams>,
    engines: Arc<Engines>,
    /// Pixels a point, as the last window found it.
    scale: Arc<AtomicF32>,
}

impl WindowEditor {
    /// No window is opened yet.
    pub fn new(params: Arc<TributaryParams>, engines: Arc<Engines>) -> Self {
        Self { params, engines, scale: Arc::new(AtomicF32::new(1.0)) }
    }

    fn logical_size(&self) -> LogicalSize<f32> {
        let [width, height] = self.params.window.chosen().points();
        LogicalSize::new(width as f32, height as f32)
    }
}

impl Editor for WindowEditor {
    type Handle = OpenWindowHandle;

    fn spawn(
        &self,
        parent: Option<ParentWindowHandle>,
        wait_for_parent: bool,
        fallback_scale_factor: Option<f64>,
        context: GuiContext,
        host: Option<HostMethods>,
    ) -> Result<SpawnedEditor<Self::Handle>, Box<dyn Error>> {
        let settings = EguiNiceSettings::new()
            .with_tile("Tributary")
            .with_graphics_config(GraphicsConfig { dithering: false, ..GraphicsConfig::default() })
            .with_resize_hint(self.resize_hint())
            .with_repaint_poll_interval(OUTSIDE_REPAINT_INTERVAL);
        let (life, ended) = life();
        let zoom = self.params.window.chosen().scale();
        let window = Window {
            life: Some(life),
            params: Arc::clone(&self.params),
            engines: Arc::clone(&self.engines),
            context: None,
            scale: Arc::clone(&self.scale),
            zoom,
            amounts_open: false,
            enlarged: None,
            page: Page::default(),
            history_open: false,
            history: History::default(),
            held: Held::default(),
            watch: None,
        };
        let LogicalSize { width, height } = self.logical_size();
        // The framework multiplies the two.
        let state = EguiEditorState::from_size(LogicalSize::new(width / zoom, height / zoom), zoom);
        let spawned = create_egui_editor(state, RepaintNotifier::new(), settings, window)
            .ok_or("the framework has no editor")?
            .spawn(parent, wait_for_parent, fallback_scale_factor, context, host)?;
        Ok(OpenWindow::around(spawned, ended))
    }

    fn size(&self) -> NativeSize<u32> {
        NativeSize::from_size(self.logical_size().into(), f64::from(self.scale.load(Relaxed)))
    }

    fn resize_hint(&self) -> ResizeHint {
        let min_size = Some(LogicalSize::new(MIN_SIZE[0] as f32, MIN_SIZE[1] as f32));
        ResizeHint {
            size_constraints: SizeConstraints::Logical { min_size, max_size: None },
            ..ResizeHint::RESIZABLE
        }
    }
}

impl NiceEguiApp for Window {
    fn build(
        &mut self,
        ctx: egui::Context,
        context: GuiContext,
        _frame: &mut Frame,
    ) -> Result<(), baseview::HandlerError> {
        self.life = self.life.take().and_then(Life::of_this_thread);
        theme::dress(&ctx);
        self.context = Some(context);
        self.engines.list_choices();
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        if !self.fit(ui.ctx(), frame) {
            return;
        }
        ui.ctx().set_theme(self.params.appearance.chosen().theme());
        let began = Instant::now();
        let seen = Seen::now(&self.engines, &self.params, self.enlarged.map(|stem| (stem, self.page)));
        let (copies, until) = self.copies(seen.copies.clone(), ui.ctx());
        let edits = super::draw(ui, &self.params, &copies);
        let watch = self.watch.take().unwrap_or_else(|| self.start_watching(ui.ctx()));
        watch.show(seen, until.map(|time_s| began + Duration::from_secs_f64(time_s.max(0.0))));
        time_frame(ui, began, watch.timer());
        self.watch = Some(watch);
        // What they change is seen in the next frame.
        if !edits.is_empty() {
            ui.ctx().request_repaint();
        }
        self.obey(edits, &copies, ui.ctx());
    }

    fn resized(&mut self, size: baseview::WindowSize) {
        // In the framework's figures the screen's scale and the layout's are one.
        let zoom = f64::from(self.zoom);
        self.scale.store((size.scale_factor / zoom) as f32, Relaxed);
        let size = EditorSize::nearest(size.logical.width * zoom, size.logical.height * zoom);
        // A size that cannot be read is kept until the user chooses another than the usual one.
        if size != self.params.window.chosen() {
            self.params.window.choose(size);
        }
    }

    fn editor_closed(&mut self) {
        self.watch = None;
        self.context = None;
    }
}

impl Window {
    /// Looks for what is new from now on, and for files that have come back.
    fn start_watching(&self, ctx: &egui::Context) -> Watch<Seen> {
        let (engines, params, ctx) = (Arc::clone(&self.engines), Arc::clone(&self.params), ctx.clone());
        let (mut looked, mut read) = (Instant::now(), Instant::now());
        let look = move |shown: &Seen| {
            if looked.elapsed() >= LOOK_INTERVAL {
                looked = Instant::now();
                engines.look_again();
            }
            let mut now = Seen::now(&engines, &params, shown.in_full());
            let moved = (now.copies.load_ratio - shown.copies.load_ratio).abs();
            if moved < LOAD_STEP || read.elapsed() < LOAD_INTERVAL {
                now.copies.load_ratio = shown.copies.load_ratio;
            } else {
                read = Instant::now();
            }
            now
        };
        Watch::start(look, move || ctx.request_repaint_after(AT_ONCE))
    }

    /// What is copied, and what the window itself remembers; and in how many seconds that changes, if it will.
    fn copies(&mut self, mut copies: Copies, ctx: &egui::Context) -> (Copies, Option<f64>) {
        let now_s = ctx.input(|input| input.time);
        let lets_go = self.held.follow(&mut copies.mix, now_s);
        self.history.follow(&copies, now_s);
        copies.amounts_open = self.amounts_open;
        copies.history_open = self.history_open;
        if self.history_open {
            copies.history = self.history.points().to_vec();
        }
        let next_s = [lets_go, self.history_open.then_some(1.0)].into_iter().flatten().reduce(f64::min);
        (copies, next_s)
    }

    /// Does what the user did, and asks the host for what the engines need.
    fn obey(&mut self, edits: Vec<Edit>, copies: &Copies, ctx: &egui::Context) {
        let Some(context) = self.context.clone() else { return };
        let setter = context.param_setter();
        for edit in edits {
            match edit {
                Edit::ShowAmounts(open) => self.amounts_open = open,
                Edit::Enlarge(stem) => self.enlarged = stem,
                Edit::ShowPage(page) => self.page = page,
                Edit::ShowHistory(open) => self.history_open = open,
                Edit::ResetOver => self.held.reset(),
                Edit::Resize(size) => self.resize(ctx, size.map(|points| points as f32)),
                _ => {}
            }
            self.apply(edit, copies, &setter);
        }
        if self.engines.take_restart() {
            context.request_restart();
        }
    }

    /// Draws everything as large as the window has room for. False when it is not yet, and comes again at once: nothing is
    /// shown at a scale that does not fit.
    fn fit(&mut self, ctx: &egui::Context, frame: &Frame) -> bool {
        let size = frame.baseview_window().size().logical;
        if self.zoom != ctx.zoom_factor() {
            self.zoom = ctx.zoom_factor();
            // The framework lets the window grow with the zoom. This one keeps its size: asked for what it has, it does nothing.
            self.resize(ctx, [size.width as f32, size.height as f32]);
        }
        let scale = scale(size.width, size.height);
        ctx.set_zoom_factor(scale);
        if scale != self.zoom {
            ctx.request_discard("The layout gets another scale.");
        }
        scale == self.zoom
    }

    /// Asks for a size, in points of the screen.
    fn resize(&self, ctx: &egui::Context, [width, height]: [f32; 2]) {
        // The framework multiplies by the zoom again.
        let points = egui::vec2(width, height) / self.zoom;
        ctx.send_viewport_cmd(egui::ViewportCommand::InnerSize(points));
    }

    fn apply(&self, edit: Edit, copies: &Copies, setter: &ParamSetter<'_>) {
        let params = &self.params;
        match edit {
            Edit::ShowAmounts(_)
            | Edit::Enlarge(_)
            | Edit::ShowPage(_)
            | Edit::ShowHistory(_)
            | Edit::ResetOver
            | Edit::Resize(_) => {}
            Edit::Targets(index) => {
                let name = copies.toolbar.targets.choices.get(index).cloned();
                if let Some(choice) = name.and_then(TargetsChoice::new) {
                    self.engines.choose_targets(choice);
                }
            }
            Edit::Preset(_) | Edit::Snapshot(..) | Edit::Undo | Edit::Redo => {
                at_once::apply(edit, params, &self.engines, setter);
            }
            Edit::Appearance(appearance) => params.appearance.choose(appearance),
            Edit::ResetUnderruns => self.engines.reset_underruns(),
            Edit::Learning(LearningAction::Learn) => self.engines.learn(),
            Edit::Learning(LearningAction::Analyze) => self.engines.analyze(),
            Edit::Learning(LearningAction::Cancel) => self.engines.cancel_learning(),
            Edit::Learning(LearningAction::Forget) => self.engines.forget(),
            Edit::KeepLearned => self.engines.keep_learned(),
            Edit::FetchLearned(index) => {
                if let Some(name) = copies.learned_files.get(index) {
                    self.engines.fetch_learned(name);
                }
            }
            Edit::ExportNext(wanted) => self.engines.export_next(wanted),
            Edit::Latency(mode) => self.engines.choose_latency(mode),
            Edit::Model(index) => {
                let name = copies.model.choices.get(index).cloned();
                if let Some(choice) = name.and_then(ModelChoice::new) {
                    params.session.model_was_chosen();
                    self.engines.choose_model(choice);
                }
            }
            Edit::Begin(control) | Edit::Set(control, _) | Edit::End(control) => match control {
                Control::Mix => pass(setter, &params.mix, edit),
                Control::Gain => pass(setter, &params.gain_db, edit),
                Control::Bypass => pass(setter, &params.bypass, edit),
                Control::DrySource => pass(setter, &params.dry_source, edit),
                Control::Network => pass(setter, &params.network, edit),
                Control::MatchLoudness => pass(setter, &params.match_loudness, edit),
                Control::Delta => pass(setter, &params.delta, edit),
                Control::Amount(effect) => pass(setter, params.amounts.each()[effect], edit),
                Control::Stem(stem, control) => {
                    let params = params.stem(stem);
                    match control {
                        StemControl::Trim => pass(setter, &params.trim_db, edit),
                        StemControl::Mute => pass(setter, &params.mute, edit),
                        StemControl::Solo => pass(setter, &params.solo, edit),
                        StemControl::Amount(effect) => pass(setter, params.amounts.each()[effect], edit),
                        StemControl::LeaveAlone => pass(setter, &params.leave_alone, edit),
                        StemControl::Lock => pass(setter, &params.lock, edit),
                    }
                }
            },
        }
    }
}

/// Notes how long a frame took that began then, once the graphics driver has drawn it.
fn time_frame(ui: &egui::Ui, began: Instant, note: impl Fn(Duration) + Send + Sync + 'static) {
    let drawn = move |_: egui::PaintCallbackInfo, painter: &egui_glow::Painter| {
        // SAFETY: the context is current while it paints.
        unsafe { painter.gl().finish() };
        note(began.elapsed());
    };
    let callback = Arc::new(egui_glow::CallbackFn::new(drawn));
    ui.painter().add(egui::PaintCallback { rect: ui.max_rect(), callback });
}

fn pass<P: Param>(setter: &ParamSetter<'_>, param: &P, edit: Edit) {
    match edit {
        Edit::Begin(_) => setter.begin_set_parameter(param),
        Edit::Set(_, value) => setter.set_parameter(param, param.preview_plain(value)),
        Edit::End(_) => setter.end_set_parameter(param),
        _ => {}
    }
}
