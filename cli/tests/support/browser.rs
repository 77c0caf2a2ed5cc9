//! A browser driven over WebDriver (W3C), with nothing but a socket: Chromium through chromedriver.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A loaded machine may need this long for a step that takes a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keys as WebDriver types them.
pub const RIGHT: &str = "\u{e014}";
pub const PAGE_UP: &str = "\u{e00e}";
pub const PAGE_DOWN: &str = "\u{e00f}";

/// One browser window with its own profile; closed when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Open as long as the driver may write to it.
    _output: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts one; none when there is no chromedriver here. `folder` takes the profile and the downloads.
    pub fn start(folder: &Path) -> Option<Self> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut output = BufReader::new(driver.stdout.take().expect("it is piped"));
        let port = output.by_ref().lines().map_while(Result::ok).find_map(|line| port_in(&line))?;
        let mut browser = Self { driver, port, session: String::new(), _output: output };
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--autoplay-policy=no-user-gesture-required",
            "--window-size=1200,900",
            &profile,
        ];
        let options = json!({
            "args": arguments,
            "prefs": { "download.default_directory": folder, "download.prompt_for_download": false },
        });
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let session = browser.send("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        Some(browser)
    }

    /// Opens a file.
    pub fn open(&self, path: &Path) {
        self.call("POST", "/url", json!({ "url": format!("file://{}", path.display()) }));
    }

    /// Loads the page anew.
    pub fn reload(&self) {
        self.call("POST", "/refresh", json!({}));
    }

    /// Runs a script; its `return` comes back.
    pub fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Runs the body of an async function to its end.
    pub fn wait_for(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, (error) => done({{ error: String(error) }}))"
        );
        self.call("POST", "/execute/async", json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&self, expression: &str) {
        let since = Instant::now();
        while self.run(&format!("return Boolean({expression})")) != json!(true) {
            assert!(
                since.elapsed() < PATIENCE,
                "never true: {expression}\n{}",
                self.run("return document.body.innerText")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks the first element of a selector, as a mouse does.
    pub fn click(&self, selector: &str) {
        self.until(&format!("document.querySelector({selector:?})"));
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/click"), json!({}));
    }

    /// Types into an element.
    pub fn keys(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/value"), json!({ "text": text }));
    }

    /// Presses a pointer on an element, moves it by so many pixels and lets go.
    pub fn drag(&self, selector: &str, by: (i32, i32), pointer: &str) {
        let origin = json!({ ELEMENT: self.element(selector) });
        let step = |x: i32, y: i32, origin: &Value| json!({ "type": "pointerMove", "duration": 50, "x": x, "y": y, "origin": origin });
        let (down, up) =
            (json!({ "type": "pointerDown", "button": 0 }), json!({ "type": "pointerUp", "button": 0 }));
        let relative = json!("pointer");
        let moves = [
            step(0, 0, &origin),
            down,
            step(by.0 / 2, by.1 / 2, &relative),
            step(by.0 - by.0 / 2, by.1 - by.1 / 2, &relative),
            up,
        ];
        let action = json!({ "type": "pointer", "id": pointer, "parameters": { "pointerType": pointer }, "actions": moves });
        self.call("POST", "/actions", json!({ "actions": [action] }));
    }

    /// Sets the window's inner size; scroll bars, which differ between systems, take none of it.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size });
        self.call("POST", "/goog/cdp/execute", command);
        let command = json!({ "cmd": "Emulation.setScrollbarsHidden", "params": { "hidden": true } });
        self.call("POST", "/goog/cdp/execute", command);
    }

    /// A PNG of what is seen, in base64.
    pub fn screenshot(&self) -> String {
        self.call("GET", "/screenshot", json!({})).as_str().expect("a picture").to_owned()
    }

    /// What the page wrote to its console, errors and refusals of its policy among it.
    pub fn console(&self) -> Vec<String> {
        let entries = self.call("POST", "/se/log", json!({ "type": "browser" }));
        let message = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        entries.as_array().expect("a list").iter().map(message).collect()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.call("POST", "/element", json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    fn call(&self, method: &str, path: &str, body: Value) -> Value {
        self.send(method, &format!("/session/{}{path}", self.session), &body)
    }

    /// One request on a connection of its own.
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream.set_read_timeout(Some(2 * PATIENCE)).expect("a time limit");
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the driver reads");
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("the driver answers");
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("a whole answer");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{method} {path} {body}: {}", answer["value"]["message"]);
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that fails unwinds through here: a second panic would hide the first.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let request = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                self.session
            );
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read(&mut [0; 1024]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// "ChromeDriver was started successfully on port 45123."
fn port_in(line: &str) -> Option<u16> {
    line.split("successfully on port ").nth(1)?.trim_end_matches('.').trim().parse().ok()
}

/// Waits for a downloaded file whose name ends like this.
#[track_caller]
pub fn downloaded(folder: &Path, ending: &str) -> PathBuf {
    let since = Instant::now();
    loop {
        let entries =
            fs::read_dir(folder).expect("the folder can be listed").flatten().map(|entry| entry.path());
        if let Some(path) = entries.into_iter().find(|path| path.to_string_lossy().ends_with(ending)) {
            return path;
        }
        assert!(since.elapsed() < PATIENCE, "no download");
        std::thread::sleep(Duration::from_millis(50));
    }
}
