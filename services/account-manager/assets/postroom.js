// Comfort only: every page works without this script.
"use strict";

// Fills in what is known about the provider of an address, and never touches what a person has typed.
const form = document.getElementById("add-account");
if (form) {
  const address = form.elements.namedItem("address");
  const note = document.getElementById("provider-note");
  const touched = new Set();
  form.addEventListener("input", (event) => touched.add(event.target.name));
  const fill = (name, value) => {
    const field = form.elements.namedItem(name);
    if (field && !touched.has(name)) field.value = value || "";
  };
  address.addEventListener("change", async () => {
    const asked = address.value;
    note.textContent = "Looking for the mail servers of this address ...";
    const answer = await fetch("/accounts/preset?address=" + encodeURIComponent(asked)).catch(() => null);
    // Finding servers may take seconds: what was typed since then is asked about by itself.
    if (address.value !== asked) return;
    if (!answer || !answer.ok) {
      note.textContent = "";
      return;
    }
    const preset = await answer.json();
    if (!preset.known) {
      note.textContent = "";
      return;
    }
    for (const half of ["imap", "smtp"]) {
      fill(half + "_host", preset[half].host);
      fill(half + "_port", preset[half].port);
      fill(half + "_tls", preset[half].tls);
    }
    fill("login", preset.login);
    if (!touched.has("method")) {
      const usable = preset.method === "oauth2" && !preset.oauth_ready && preset.app_password_help ? "app_password" : preset.method;
      form.elements.namedItem("method").value = usable;
    }
    note.textContent = preset.name + "." + (preset.hint ? " " + preset.hint : "");
  });
}

// A sign-in takes a few seconds: say so, and take no second click.
for (const button of document.querySelectorAll("button[data-busy]")) {
  button.form.addEventListener("submit", () => {
    button.dataset.words = button.textContent;
    button.textContent = button.dataset.busy;
    button.setAttribute("aria-disabled", "true");
    setTimeout(() => { button.disabled = true; }, 0);
  });
  // A page that comes back from the browser's memory is usable again.
  window.addEventListener("pageshow", () => {
    if (button.dataset.words) button.textContent = button.dataset.words;
    button.disabled = false;
    button.removeAttribute("aria-disabled");
  });
}

// States that may change at any moment are read again every few seconds, while somebody looks.
const refresh = async () => {
  const live = document.querySelector("[data-live]");
  if (!live) return;
  if (!document.hidden && !live.contains(document.activeElement)) {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (answer && answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(live.id);
      if (fresh && fresh.innerHTML !== live.innerHTML) live.replaceWith(document.importNode(fresh, true));
    }
  }
  setTimeout(refresh, 4000);
};
setTimeout(refresh, 4000);

// Whoever sent a form with mistakes is taken to them.
document.getElementById("problems")?.focus();
