//! The page of `tributary listen build` in a real browser, from the first click to the report: what a listener does, what
//! the policy forbids, and how exactly switching between mixes is timed. Needs chromedriver; says so loudly where it is absent.

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::f64::consts::TAU;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use browser::{Browser, PAGE_DOWN, PAGE_UP, RIGHT, downloaded};
use serde_json::{Value, json};
use support::page::{Page, from_base64, simulated};
use support::{Wav, folder, tributary, write_with};

const SYSTEMS: [&str; 3] = ["bright", "dark", "<i>odd</i>"];
const HOSTILE_TITLE: &str = "<img src=x onerror='window.broken=1'>\\\"</script>";

/// A test of one song with three mixes and a reference, two attributes, one repeat.
fn build(root: &Path, more: &str) -> PathBuf {
    let wav = Wav { seconds: 3.0, ..Wav::CD };
    let mut mixes = String::new();
    for (index, system) in SYSTEMS.iter().enumerate() {
        let partials = [8, 2, 4][index];
        write_with(&root.join(format!("{index}.wav")), wav, |t, c| {
            let note = |k: i32| (TAU * 220.0 * f64::from(k) * t + f64::from(c)).sin() / f64::from(k);
            0.1 * (1..=partials).map(note).sum::<f64>()
        });
        mixes += &format!("\"{system}\" = \"{index}.wav\"\n");
    }
    let plan = format!(
        "title = \"{HOSTILE_TITLE}\"\ninstructions = \"Hello.\"\n{more}\n[[attribute]]\nname = \"Clarity\"\n[[attribute]]\n\
         name = \"Warmth\"\nquestion = \"How warm?\"\nlow = \"cold\"\nhigh = \"<b>warm</b>\"\n[[question]]\ntext = \"Years\"\n\
         kind = \"number\"\n[[question]]\ntext = \"On?\"\nkind = \"choice\"\nchoices = [\"Headphones\", \"Speakers\"]\n\
         [[song]]\nname = \"Song\"\nreference = \"0.wav\"\n[song.mixes]\n{mixes}"
    );
    fs::write(root.join("test.toml"), plan).expect("written");
    let page = root.join("test.html");
    let paths = [root.join("test.toml"), page.clone()].map(|path| path.to_str().expect("plain").to_owned());
    tributary(&["listen", "build", &paths[0], "-o", &paths[1]]).succeeds().notes("3 s long");
    page
}

/// Says so past the test harness, which keeps to itself what passing tests print.
fn skipped(test: &str) {
    let line =
        format!("\nSKIPPED: chromedriver is absent, so {test} is not tested (Debian: chromium-driver)\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Hears every mix for as long as a rating needs and moves handles with the keyboard.
fn rate(browser: &Browser, values: [&str; 3]) {
    for (index, keys) in values.into_iter().enumerate() {
        let handle = format!(".handle[data-mix='{index}']");
        browser.click(&handle);
        browser.keys(&handle, &format!("{RIGHT}{keys}"));
        let letter = ["A", "B", "C"][index];
        browser.until(&format!("document.querySelector({handle:?}).ariaLabel === 'Mix {letter}, playing'"));
        browser.until(&format!("heard({index}) >= 1.05"));
    }
    browser.until("document.querySelector('#next').ariaDisabled === 'false'");
}

/// A helper in the page: how long a handle's mix has been heard.
fn install_helpers(browser: &Browser) {
    browser.run(
        "window.heard = (index) => { const { state } = tributaryListen.app.session; const page = state.step === 3 ? state.training \
         : state.pages[state.step - 4]; return page.heard_s[page.order[index]] ?? 0; };",
    );
}

#[test]
fn a_listener_goes_through_the_test_and_the_answers_become_a_report() {
    let root = folder("listen-browser");
    let page = build(&root, "");
    let Some(browser) = Browser::start(&root) else { return skipped("the listening test") };
    browser.open(&page);
    install_helpers(&browser);
    assert_eq!(
        browser.run("return document.querySelector('h1').textContent"),
        json!(HOSTILE_TITLE.replace('\\', ""))
    );
    questions_and_check(&browser);
    browser.until("document.querySelector('#next')");
    browser.click("#next");
    browser.until("document.querySelector('.said').textContent.includes('Still to rate: A, B, C')");
    assert_eq!(browser.run("return document.querySelectorAll('[role=slider].handle').length"), json!(3));
    rate(&browser, ["", PAGE_UP, PAGE_DOWN]);
    browser.click("#next");
    // Page 1, with a mouse, a finger and the axis: A far to the right, B to the left, C by a tap on the axis.
    browser.until("document.querySelector('.bar').textContent.includes('Page 1 of 3')");
    browser.drag(".handle[data-mix='0']", (300, -60), "mouse");
    browser.drag(".handle[data-mix='1']", (-200, -60), "touch");
    browser.click(".handle[data-mix='2']");
    browser.click(".axis");
    let ratings = browser
        .run("const p = tributaryListen.app.session.state.pages[0]; return p.order.map((m) => p.ratings[m])");
    let values: Vec<f64> =
        ratings.as_array().expect("a list").iter().map(|v| v.as_f64().expect("rated")).collect();
    assert!(values[0] > 70.0 && values[1] < 35.0 && (values[2] - 50.0).abs() < 1.0, "{values:?}");
    reload_midway(&browser, &ratings);
    rate(&browser, ["", "", ""]);
    browser.keys("#comment", "B booms & <b>hums</b>");
    browser.click("#next");
    for number in [2, 3] {
        browser.until(&format!("document.querySelector('.bar').textContent.includes('Page {number} of 3')"));
        rate(&browser, ["", PAGE_UP, PAGE_DOWN]);
        browser.click("#next");
    }
    browser.until("document.querySelector('h1').textContent === 'Thank you'");
    browser.keys("#comment", "Nice.");
    assert_eq!(browser.run("return window.broken ?? null"), Value::Null, "a name became markup");
    assert_eq!(browser.console(), Vec::<String>::new(), "nothing is refused and nothing fails");
    browser.click("#download");
    let result = downloaded(&root, ".json");
    report_of(&root, &result);
}

fn questions_and_check(browser: &Browser) {
    browser.click("#begin");
    // An unanswered question holds the form back.
    browser.click("#continue");
    assert_eq!(browser.run("return document.querySelector('h1').textContent"), json!("About you"));
    browser.keys("#answer-q0", "7");
    browser.run("const s = document.querySelector('#answer-q1'); s.value = 'Headphones'; s.dispatchEvent(new Event('change'))");
    browser.click("#continue");
    for _ in 0..5 {
        browser.click("[data-right]");
        let right = browser.run("return document.querySelector('[data-right]').dataset.right");
        let answer = format!("[data-answer={right}]");
        browser.until(&format!("!document.querySelector({answer:?}).disabled"));
        browser.click(&answer);
    }
    browser.until("document.querySelector('main').textContent.includes('All is well')");
    browser.click("#continue");
}

/// The page is loaded again in the middle of a rating: everything is as it was.
fn reload_midway(browser: &Browser, ratings: &Value) {
    let listener = browser.run("return tributaryListen.app.session.state.listener");
    // The first visit looks and leaves; the second goes on.
    browser.reload();
    browser.until("document.querySelector('#resume')");
    browser.reload();
    install_helpers(browser);
    browser.click("#resume");
    browser.until("document.querySelector('.bar')?.textContent.includes('Page 1 of 3')");
    assert_eq!(browser.run("return tributaryListen.app.session.state.listener"), listener);
    let again = browser
        .run("const p = tributaryListen.app.session.state.pages[0]; return p.order.map((m) => p.ratings[m])");
    assert_eq!(&again, ratings);
    let shown =
        browser.run("return [...document.querySelectorAll('.handle')].map((h) => Number(h.ariaValueNow))");
    assert_eq!(&shown, ratings, "the handles stand where they stood");
    // A narrow window: nothing lies outside.
    browser.resize(360, 740);
    browser.until("document.documentElement.scrollWidth <= 360");
    let outside = "[...document.querySelectorAll('.handle, button, .track')].filter((e) => { const b = e.getBoundingClientRect(); \
                   return b.left < 0 || b.right > 360 || b.height < 32; }).length";
    browser.until(&format!("{outside} === 0"));
    browser.resize(1200, 900);
}

/// The downloaded answers, alone and with made-up fellows, go through `listen analyze`.
fn report_of(root: &Path, result: &Path) {
    let one: Value = serde_json::from_str(&fs::read_to_string(result).expect("there")).expect("JSON");
    assert_eq!((&one["complete"], &one["questionnaire"]["q0"]), (&json!(true), &json!("7")));
    assert_eq!(one["check"]["tones_right"], json!(3));
    let pages = one["pages"].as_array().expect("pages");
    assert_eq!(pages.iter().filter(|page| page["repeat"] == json!(true)).count(), 1);
    let mut files = vec![result.to_owned()];
    for fellow in 0..7 {
        let mut copy = one.clone();
        copy["listener"] = json!(format!("f{fellow}"));
        for page in copy["pages"].as_array_mut().expect("pages") {
            page["ratings"] =
                json!({ "m0": 20.0 + f64::from(fellow), "m1": 60.0, "m2": 80.0 - 2.0 * f64::from(fellow) });
        }
        files.push(root.join(format!("f{fellow}.result")));
        fs::write(files.last().expect("just pushed"), copy.to_string()).expect("written");
    }
    let report = root.join("report.html");
    let mut arguments =
        vec!["listen".to_owned(), "analyze".into(), "--minimum-reliability".into(), "-9".into()];
    arguments.extend(
        files.iter().chain([&PathBuf::from("-o"), &report]).map(|p| p.to_str().expect("plain").to_owned()),
    );
    let run = tributary(&arguments).succeeds();
    assert!(run.out.contains("8 of 8 listeners count"), "{}", run.out);
    let report = fs::read_to_string(report).expect("there");
    assert!(report.contains("&lt;i&gt;odd&lt;/i&gt;") && !report.contains("<i>odd"));
    assert!(report.contains("B booms &amp; &lt;b&gt;hums&lt;/b&gt;"));
}

/// Renders the page's own player on an offline clock: mixes from `make(mix)` (JavaScript), switches at (frame, mix).
fn rendered(
    browser: &Browser,
    make: &str,
    mixes: usize,
    seconds: f64,
    switches: &[(u32, usize)],
) -> Vec<f64> {
    let script = format!(
        "const rate = 44100, frames = Math.round({seconds} * rate);
         const context = new OfflineAudioContext(2, frames, rate);
         const make = {make};
         const mixes = Array.from({{ length: {mixes} }}, (_, mix) => {{ const x = Float32Array.from({{ length: rate }}, (_, n) => make(mix, n)); return [x, x]; }});
         const player = tributaryListen.createPlayer(context, mixes);
         player.play();
         for (const [frame, mix] of {switches}) context.suspend(frame / rate).then(() => {{ player.topUp(); player.select(mix); context.resume(); }});
         const sound = await context.startRendering();
         player.pause();
         const [left, right] = [0, 1].map((channel) => sound.getChannelData(channel));
         if (left.some((value, frame) => value !== right[frame])) return {{ error: 'the channels differ' }};
         return Array.from(left);",
        switches = json!(switches)
    );
    let sound = browser.wait_for(&script);
    let samples = sound.as_array().unwrap_or_else(|| panic!("{sound}"));
    samples.iter().map(|value| value.as_f64().expect("a sample")).collect()
}

#[test]
fn switching_keeps_time_to_the_sample_and_never_steps() {
    let root = folder("listen-switching");
    let page = build(&root, "");
    let Some(browser) = Browser::start(&root) else { return skipped("the timing of switches") };
    browser.open(&page);
    // Switches at frames of no particular grid, two of them within one another's fades; Chromium suspends at multiples of 128.
    let switches: Vec<(u32, usize)> =
        [(20_096, 1), (20_224, 2), (33_024, 0), (50_048, 2), (66_688, 1), (66_816, 0)].into();

    // The same clicks at different gains, one every 441 frames: every click stays on its frame, before and after switches.
    let gains = [0.8, 0.4, 0.2];
    let clicks =
        rendered(&browser, &format!("(mix, n) => (n % 441 === 220 ? {gains:?}[mix] : 0)"), 3, 2.0, &switches);
    let first = clicks.iter().position(|value| value.abs() > 0.05).expect("it sounds");
    let heard: Vec<usize> = (0..clicks.len()).filter(|n| clicks[*n] != 0.0).collect();
    assert!(heard.len() > 190, "{}", heard.len());
    assert!(heard.iter().all(|n| n.abs_diff(first).is_multiple_of(441)), "a click moved");
    let level = |frame: usize| clicks[first + (frame - first).div_ceil(441) * 441];
    // After each switch has settled its mix is heard, alone.
    for (frame, gain) in [(15_000, 0.8), (24_000, 0.2), (36_000, 0.8), (60_000, 0.2), (72_000, 0.8)] {
        assert!((level(frame) - gain).abs() < 1e-6, "frame {frame}: {} is not {gain}", level(frame));
    }

    // One sine in all mixes: switching must not be heard at all. Passes of the loop fade at whole seconds only.
    let sine = rendered(
        &browser,
        "(mix, n) => 0.5 * Math.sin(2 * Math.PI * 441 * n / 44100)",
        3,
        1.0,
        &switches[..3],
    );
    let own_step = 0.5 * 2.0 * (TAU / 200.0).sin();
    let from = first - 220 + 600;
    let start = first - 220;
    for (n, value) in sine.iter().enumerate().take(42_000).skip(from) {
        let expected = 0.5 * (TAU * 441.0 * (n - start) as f64 / 44_100.0).sin();
        assert!((value - expected).abs() < 1e-5, "frame {n}: {value} is not {expected}");
    }
    let step = sine.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    assert!(step <= own_step, "{step} is more than the signal's own {own_step}");

    // Different gains: no step beyond the signal's own and the slope of the fade.
    let sine = rendered(
        &browser,
        "(mix, n) => [0.8, 0.1, 0.5][mix] * Math.sin(2 * Math.PI * 441 * n / 44100)",
        3,
        2.0,
        &switches,
    );
    let step = sine.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    let allowed = 0.8 * TAU / 100.0 + 0.8 / 220.0;
    assert!(step <= allowed, "{step} is more than {allowed}");
    decoded_exactly(&browser, &page, &root);
    nothing_leaves(&browser);
}

/// The browser decodes the page's audio to the samples that the project's own reader finds in it.
fn decoded_exactly(browser: &Browser, page: &Path, root: &Path) {
    let checksum = "const context = new OfflineAudioContext(2, 1, 44100); const channels = await tributaryListen.decodeAudio(context, 1);
        let sum = 0; channels.flatMap((c) => Array.from(c)).forEach((x, n) => { sum = (sum * 31 + Math.round(x * 32768) + 32768) % 1000003; });
        return [channels[0].length, sum];";
    let decoded = browser.wait_for(checksum);
    let audio = Page::read(page).audio(1, root);
    let sum =
        audio.left.iter().chain(&audio.right).fold(0_i64, |sum, x| {
            (sum * 31 + (f64::from(*x) * 32_768.0).round() as i64 + 32_768) % 1_000_003
        });
    assert_eq!(decoded, json!([audio.left.len(), sum]));
}

/// The policy refuses connections, images and scripts from anywhere.
fn nothing_leaves(browser: &Browser) {
    let refused = browser.wait_for(
        "const refused = new Set(); document.addEventListener('securitypolicyviolation', (event) => refused.add(event.effectiveDirective));
         await fetch('http://127.0.0.1:9/').catch(() => {});
         const image = new Image(); image.src = 'http://127.0.0.1:9/x.png';
         const script = document.createElement('script'); script.textContent = 'window.broken = 1'; document.body.append(script);
         await new Promise((resolve) => setTimeout(resolve, 300));
         return [...refused].sort().concat(window.broken ?? 'whole');",
    );
    assert_eq!(refused, json!(["connect-src", "img-src", "script-src-elem", "whole"]));
}

/// Answers one page's requests as a collecting server does, the browser's question beforehand (CORS) included; returns what
/// was posted.
fn collect(listener: TcpListener) -> String {
    for stream in listener.incoming() {
        let mut reader = BufReader::new(stream.expect("a connection"));
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).expect("a request") > 0 {}
        for line in head.to_ascii_lowercase().lines() {
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let answer = "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: content-type\r\n\
                      Access-Control-Allow-Private-Network: true\r\nConnection: close\r\n\r\n";
        reader.get_mut().write_all(answer.as_bytes()).expect("an answer");
        if head.starts_with("POST") {
            return String::from_utf8(body).expect("text");
        }
    }
    String::new()
}

#[test]
fn answers_can_be_sent_to_the_address_of_the_plan() {
    let root = folder("listen-post");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let page = build(&root, &format!("post_url = \"http://{address}/results\""));
    let Some(browser) = Browser::start(&root) else { return skipped("sending answers") };
    let posted = std::thread::spawn(move || collect(listener));
    browser.open(&page);
    browser.run("tributaryListen.app.go(7)");
    browser.click("#post");
    browser.until("document.querySelector('[role=status]').textContent.startsWith('Sent')");
    let posted: Value = serde_json::from_str(&posted.join().expect("collected")).expect("JSON");
    assert_eq!((&posted["format"], &posted["complete"]), (&json!("tributary-listen"), &json!(false)));
}

/// Makes the pictures in `assets/pictures` from the example in `assets/demo` with made-up listeners:
/// `cargo test --release -p tributary-cli --test listen_browser -- --ignored`
#[test]
#[ignore = "makes pictures"]
fn pictures() {
    let root = folder("listen-pictures");
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets");
    let plain = |path: &Path| path.to_str().expect("plain").to_owned();
    let page = root.join("test.html");
    let example = plain(&assets.join("demo/listening-test.toml"));
    tributary(&["listen", "build", &example, "-o", &plain(&page)]).succeeds();
    let Some(browser) = Browser::start(&root) else { return skipped("the pictures") };
    let save = |name: &str| {
        let picture = from_base64(&browser.screenshot());
        fs::write(assets.join("pictures").join(name), picture).expect("written");
    };
    browser.open(&page);
    browser.run("const { app } = tributaryListen; app.session.state.pages[0].attribute = 'a1'; app.go(4);");
    browser.resize(1040, 790);
    browser.until("document.querySelector('#next')");
    for (index, keys) in [PAGE_DOWN.repeat(3), PAGE_UP.repeat(2), PAGE_UP.repeat(3)].iter().enumerate() {
        let handle = format!(".handle[data-mix='{index}']");
        browser.click(&handle);
        browser.keys(&handle, &format!("{RIGHT}{keys}"));
    }
    browser.run("document.activeElement.blur(); const { player } = tributaryListen.app; player.setLoop(4, 12.5); player.seek(7);");
    std::thread::sleep(std::time::Duration::from_millis(400));
    save("listen.png");
    let made_up = Page::read(&page);
    let mut arguments =
        vec!["listen".to_owned(), "analyze".into(), "-o".into(), plain(&root.join("report.html"))];
    for listener in 0..14 {
        let file = root.join(format!("{listener}.json"));
        fs::write(&file, simulated(&made_up, listener).to_string()).expect("written");
        arguments.push(plain(&file));
    }
    tributary(&arguments).succeeds();
    browser.open(&root.join("report.html"));
    browser.resize(1040, 1240);
    save("listen-report.png");
}
