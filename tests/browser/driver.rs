//! A browser, driven through WebDriver (W3C Recommendation of 2018): Chromium by its chromedriver.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

/// What a browser is to be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) script: bool,
    pub(crate) dark: bool,
    pub(crate) phone: bool,
}

/// A browser on a desktop, in the light, with everything switched on.
pub(crate) const DESKTOP: Look = Look { script: true, dark: false, phone: false };

/// A browser with a profile of its own, at one site. Both end when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
    site: String,
    profile: TempDir,
    look: Look,
}

impl Browser {
    /// Starts one whose addresses begin with `site`.
    pub(crate) fn start(site: &str, look: Look) -> Self {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = driver.expect("chromedriver (Debian package chromium-driver)");
        let port = port(&mut driver);
        let profile = tempfile::tempdir().expect("a folder");
        let config = Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent = config.timeout_global(Some(Duration::from_secs(60))).build().new_agent();
        let session = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, agent, session, site: site.to_owned(), profile, look };
        let begun = browser.post("", &browser.capabilities(look));
        browser.session = format!("{}/{}", browser.session, begun["sessionId"].as_str().expect("a session"));
        browser.wear(look);
        browser
    }

    /// How it began to look.
    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// Looks like that from now on; whether there are scripts stays as it is.
    pub(crate) fn wear(&self, look: Look) {
        let (width, height, scale) = if look.phone { (390, 844, 2) } else { (1280, 900, 1) };
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": look.phone });
        self.tool("Emulation.setDeviceMetricsOverride", &screen);
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tool("Emulation.setEmulatedMedia", &media);
    }

    /// What this script answers: a function's body, whose last argument takes the answer.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    fn capabilities(&self, look: Look) -> Value {
        let folder = |name: &str| self.profile.path().join(name).to_string_lossy().into_owned();
        let profile = format!("--user-data-dir={}", folder("profile"));
        // As root there is no sandbox to be had; the pages are our own.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900", &profile];
        let mut preferences = json!({ "download.default_directory": self.downloads() });
        if !look.script {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments, "prefs": preferences },
            "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
        } } })
    }

    fn downloads(&self) -> PathBuf {
        self.profile.path().join("downloads")
    }

    fn try_post(&self, path: &str, body: &Value) -> Result<Value, Value> {
        let answer = self.agent.post(format!("{}{path}", self.session)).send_json(body);
        Self::value(answer)
    }

    fn value(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Value> {
        let mut answer = answer.expect("chromedriver answers");
        let body: Value = answer.body_mut().read_json().expect("JSON");
        if answer.status().is_success() { Ok(body["value"].clone()) } else { Err(body["value"].clone()) }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body).map_err(|error| format!("{path}: {error:#}\n{}", self.where_we_are())).expect("done")
    }

    fn get(&self, path: &str) -> Value {
        Self::value(self.agent.get(format!("{}{path}", self.session)).call()).expect("an answer")
    }

    /// For whoever reads a failed test.
    fn where_we_are(&self) -> String {
        let url = Self::value(self.agent.get(format!("{}/url", self.session)).call());
        format!("at {url:?}")
    }

    fn tool(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }
}

/// What a person does.
impl Browser {
    /// Types an address of this site, or a whole one.
    pub(crate) fn open(&self, address: &str) {
        let url = if address.starts_with('/') { format!("{}{address}", self.site) } else { address.to_owned() };
        self.post("/url", &json!({ "url": url }));
    }

    /// From now on addresses are of this site.
    pub(crate) fn go_to(&mut self, site: &str) {
        site.clone_into(&mut self.site);
    }

    pub(crate) fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    pub(crate) fn back(&self) {
        self.post("/back", &json!({}));
    }

    /// Opens a second tab and goes there; returns the first one.
    pub(crate) fn new_tab(&self) -> Value {
        let first = self.get("/window");
        let second = self.post("/window/new", &json!({ "type": "tab" }));
        self.to_tab(&second["handle"]);
        first
    }

    pub(crate) fn to_tab(&self, handle: &Value) {
        self.post("/window", &json!({ "handle": handle }));
    }

    pub(crate) fn click(&self, css: &str) {
        let element = self.element(css);
        self.post(&format!("{element}/click"), &json!({}));
    }

    /// Clicks on what leads to another page, and waits until this one is gone.
    pub(crate) fn follow(&self, css: &str) {
        let page = self.element("html");
        self.click(css);
        self.wait_until_gone(&page);
    }

    fn wait_until_gone(&self, page: &str) {
        let gone = |_| Self::value(self.agent.get(format!("{}{page}/name", self.session)).call()).is_err();
        assert!((0..2000).any(gone), "the page stays; {}", self.where_we_are());
    }

    pub(crate) fn double_click(&self, css: &str) {
        let id = self.post("/element", &json!({ "using": "css selector", "value": css }));
        let press = |kind: &str| json!({ "type": kind, "button": 0 });
        let mut actions = vec![json!({ "type": "pointerMove", "origin": id, "x": 0, "y": 0 })];
        for _ in 0..2 {
            actions.extend([press("pointerDown"), press("pointerUp")]);
        }
        let page = self.element("html");
        let pointer = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.post("/actions", &json!({ "actions": [pointer] }));
        self.wait_until_gone(&page);
    }

    pub(crate) fn fill(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.post(&format!("{element}/clear"), &json!({}));
        self.post(&format!("{element}/value"), &json!({ "text": text }));
    }

    /// Presses the main button of the page.
    pub(crate) fn go_on(&self) {
        self.follow("main .actions button:not(.quiet), main .actions a.button:not(.quiet)");
    }
}

/// What a person sees.
impl Browser {
    fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css }));
        let id = found.as_object().and_then(|object| object.values().next()?.as_str().map(str::to_owned));
        format!("/element/{}", id.expect("an element"))
    }

    pub(crate) fn has(&self, css: &str) -> bool {
        self.count(css) > 0
    }

    /// The text that is seen there.
    pub(crate) fn text(&self, css: &str) -> String {
        self.get(&format!("{}/text", self.element(css))).as_str().expect("a text").to_owned()
    }

    /// The text that is there, seen or not.
    pub(crate) fn content(&self, css: &str) -> String {
        self.property(css, "textContent")
    }

    pub(crate) fn property(&self, css: &str, name: &str) -> String {
        let value = self.get(&format!("{}/property/{name}", self.element(css)));
        value.as_str().expect("a text").to_owned()
    }

    pub(crate) fn attribute(&self, css: &str, name: &str) -> String {
        let value = self.get(&format!("{}/attribute/{name}", self.element(css)));
        value.as_str().expect("a text").to_owned()
    }

    pub(crate) fn count(&self, css: &str) -> usize {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": css }));
        found.as_array().map_or(0, Vec::len)
    }

    /// A picture of this part, as it is on the screen: PNG.
    pub(crate) fn picture_of(&self, css: &str) -> Vec<u8> {
        self.shot(&self.get(&format!("{}/rect", self.element(css))))
    }

    fn shot(&self, of: &Value) -> Vec<u8> {
        let clip = json!({ "x": of["x"], "y": of["y"], "width": of["width"], "height": of["height"], "scale": 1 });
        let how = json!({ "captureBeyondViewport": true, "optimizeForSpeed": true, "clip": clip });
        let shot = self.tool("Page.captureScreenshot", &how);
        BASE64.decode(shot["data"].as_str().expect("a picture").as_bytes()).expect("Base64")
    }

    pub(crate) fn is_shown(&self, css: &str) -> bool {
        self.get(&format!("{}/displayed", self.element(css))) == json!(true)
    }

    pub(crate) fn heading(&self) -> String {
        self.text("h1")
    }

    /// The path of the page, which is one of this site.
    pub(crate) fn path(&self) -> String {
        let url = self.get("/url");
        let url = url.as_str().expect("an address");
        url.strip_prefix(self.site.as_str()).map_or_else(|| url.to_owned(), str::to_owned)
    }

    /// Waits until the page has this: asking is what takes time.
    pub(crate) fn wait_for(&self, css: &str) {
        assert!((0..2000).any(|_| self.has(css)), "{css} does not come; {}", self.where_we_are());
    }

    /// The file that a download leaves.
    pub(crate) fn downloaded(&self, name: &str) -> String {
        let path = self.downloads().join(name);
        let read = || {
            let _ = self.get("/title");
            std::fs::read_to_string(&path).ok().filter(|text| !text.is_empty())
        };
        (0..2000).find_map(|_| read()).expect("the file arrives")
    }

    /// Keeps a picture of the whole page, for people to look at.
    pub(crate) fn picture(&self, name: &str) {
        let size = self.tool("Page.getLayoutMetrics", &json!({}));
        let png = self.shot(&size["cssContentSize"]);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), png).expect("the folder is writable");
    }

    /// Every address that any page asked for since the last question, and what the browser complained of.
    pub(crate) fn asked_and_complained(&self) -> (Vec<String>, Vec<String>) {
        let log = self.post("/se/log", &json!({ "type": "performance" }));
        let entries = log.as_array().expect("a log").iter();
        let messages = entries.filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let asked = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        let asked =
            asked.filter_map(|message| message["message"]["params"]["request"]["url"].as_str().map(str::to_owned));
        let asked = asked.filter(|url| !url.starts_with("data:") && !url.starts_with("chrome:")).collect();
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let complaints = log.as_array().expect("a log").iter().map(|entry| entry["message"].to_string()).collect();
        (asked, complaints)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; what is left then is the driver. Either may have ended before.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// "ChromeDriver was started successfully on port 9515."
fn port(driver: &mut Child) -> u16 {
    let mut said = BufReader::new(driver.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let line = said.find(|line| line.contains("successfully on port")).expect("chromedriver starts");
    // Read on, so that it never waits for us.
    std::thread::spawn(move || said.for_each(drop));
    let port = line.rsplit(' ').next().unwrap_or_default().trim_end_matches('.');
    port.parse().expect("a port")
}
