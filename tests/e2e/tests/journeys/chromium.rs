//! A person's browser: headless Chromium, driven by the WebDriver protocol.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use postroom_e2e::workspace_root;
use postroom_test_support::{Testbed, eventually, free_port};
use serde_json::json;
use thirtyfour::{By, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, WebElement};

const PATIENCE: Duration = Duration::from_secs(30);
/// Width and height in CSS pixels.
const DESKTOP: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);
/// The top bar with one row in it is no higher than this, in CSS pixels.
const ONE_ROW: i64 = 64;

/// Gives what each violated rule asks for and where. The frame of a mail runs no script, so axe does not enter it; what
/// it could not decide is no violation.
const AXE_RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { iframes: false, resultTypes: ['violations'] }).then(
        (results) => done(results.violations.map(({ id, help, nodes }) => ({
            id, help, at: nodes.map((node) => node.target.join(' ') + ' | ' + node.failureSummary),
        }))),
        (error) => done([String(error)]),
    );";

/// A browser with no memory of earlier tests.
pub(crate) struct Chromium {
    driver: WebDriver,
    /// The source of axe.
    axe: String,
    pictures: PathBuf,
    taken: u32,
    _server: DriverServer,
}

/// chromedriver. Asked to end, it ends the browser, too.
struct DriverServer(Child);

impl Chromium {
    /// Opens a browser whose pictures go to `target/e2e-screenshots/NAME-...png`.
    pub(crate) async fn open(testbed: &Testbed, name: &str) -> Result<Self> {
        let port = free_port()?;
        let server = Command::new(&testbed.chromedriver)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver cannot be started")?;
        let server = DriverServer(server);
        let url = format!("http://127.0.0.1:{port}");
        eventually(PATIENCE, "chromedriver to answer", || {
            reqwest::get(format!("{url}/status"))
        })
        .await;
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(&testbed.chromium.display().to_string())?;
        for argument in [
            "--headless=new",
            "--no-sandbox", // the tests run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--no-first-run",
        ] {
            wanted.add_arg(argument)?;
        }
        let driver = WebDriver::new(url, wanted).await?;
        let axe = testbed.directory.join("node/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&axe)
            .with_context(|| format!("{} cannot be read; run `cargo xtask testbed up`", axe.display()))?;
        let directory = workspace_root().join("target/e2e-screenshots");
        std::fs::create_dir_all(&directory)?;
        let browser = Self {
            driver,
            axe,
            pictures: directory.join(name),
            taken: 0,
            _server: server,
        };
        browser.resize(DESKTOP).await?;
        Ok(browser)
    }

    pub(crate) async fn go(&self, url: &str) -> Result<()> {
        Ok(self.driver.goto(url).await?)
    }

    /// Goes to another page of the same site.
    pub(crate) async fn go_to(&self, path: &str) -> Result<()> {
        let url = self.driver.current_url().await?.join(path)?;
        Ok(self.driver.goto(url.as_str()).await?)
    }

    /// The element, as soon as it is there.
    pub(crate) async fn find(&self, selector: &str) -> WebElement {
        eventually(PATIENCE, selector, async || {
            let found = self.driver.find(By::Css(selector)).await;
            match found {
                Ok(element) => Ok(element),
                Err(_) => Err(self.whereabouts().await),
            }
        })
        .await
    }

    /// Clicks. A page that renews itself may take the element away between the look and the click: then again.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        eventually(PATIENCE, &format!("a click on {selector}"), async || {
            self.find(selector).await.click().await
        })
        .await;
        Ok(())
    }

    pub(crate) async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        let field = self.find(selector).await;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    pub(crate) async fn text(&self, selector: &str) -> Result<String> {
        let what = format!("the text of {selector}");
        Ok(eventually(PATIENCE, &what, async || self.find(selector).await.text().await).await)
    }

    pub(crate) async fn url(&self) -> Result<String> {
        Ok(self.driver.current_url().await?.to_string())
    }

    /// Takes a picture of what a desktop and a phone show. Nobody may have to scroll sideways, and our own top bar takes one
    /// row.
    pub(crate) async fn picture(&mut self, name: &str) -> Result<()> {
        self.taken += 1;
        for (device, size) in [("phone", PHONE), ("desktop", DESKTOP)] {
            self.resize(size).await?;
            let file = format!(
                "{}-{:02}-{name}-{device}.png",
                self.pictures.display(),
                self.taken
            );
            self.driver.screenshot(file.as_ref()).await?;
            let page = "document.documentElement";
            let beyond = self
                .measure(&format!("{page}.scrollWidth - {page}.clientWidth"))
                .await?;
            anyhow::ensure!(
                beyond == 0,
                "{name}: the page is wider than a {device} by {beyond} pixels"
            );
            let bar = self
                .measure("document.querySelector('.bar')?.offsetHeight ?? 0")
                .await?;
            anyhow::ensure!(
                bar <= ONE_ROW,
                "{name}: the top bar of a {device} is {bar} pixels high"
            );
        }
        Ok(())
    }

    /// Checks the page for barriers, on a desktop and on a phone: axe with all of its rules. The page's policy keeps foreign
    /// scripts out, so axe comes over WebDriver.
    pub(crate) async fn accessible(&self, name: &str) -> Result<()> {
        for (device, size) in [("phone", PHONE), ("desktop", DESKTOP)] {
            self.resize(size).await?;
            self.driver.execute(self.axe.as_str(), Vec::new()).await?;
            let found = self.driver.execute_async(AXE_RUN, Vec::new()).await?;
            let found = found.json().as_array().context("axe said nothing")?;
            anyhow::ensure!(found.is_empty(), "{name} on a {device}: {found:#?}");
        }
        Ok(())
    }

    async fn measure(&self, expression: &str) -> Result<i64> {
        let script = format!("return {expression}");
        let measured = self.driver.execute(script, Vec::new()).await?;
        measured.json().as_i64().context("a script that measures nothing")
    }

    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.driver.quit().await?)
    }

    async fn resize(&self, (width, height): (u32, u32)) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.driver
            .cdp()
            .send_raw("Emulation.setDeviceMetricsOverride", size)
            .await?;
        Ok(())
    }

    async fn whereabouts(&self) -> String {
        let url = self.driver.current_url().await.map(|url| url.to_string());
        let text = match self.driver.find(By::Tag("main")).await {
            Ok(main) => main.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        format!("not on {url:?}, which says {text:?}")
    }
}

impl Drop for DriverServer {
    fn drop(&mut self) {
        let asked = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        if asked.is_err() {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}
