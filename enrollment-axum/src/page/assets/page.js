// What pages do beyond HTML. Every page works without this file.

const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

// Parts that only make sense with a script.
each("[data-script]", (part) => (part.hidden = false));

// The same instant, in the words of the reader's place.
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
each("time[data-local]", (time) => {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) {
    time.title = time.textContent;
    time.textContent = (time.dataset.local === "time" ? clock : local).format(at);
  }
});

// Counts down by the time that was left when the server answered: the reader's own clock may be wrong.
each("[data-left]", (place) => {
  const end = performance.now() + Number(place.dataset.left) * 1000;
  const show = () => {
    const left = Math.max(0, Math.round((end - performance.now()) / 1000));
    const seconds = String(left % 60).padStart(2, "0");
    place.textContent = `${Math.floor(left / 60)}:${seconds}`;
    place.closest("[data-clock]")?.classList.toggle("hurry", left <= 60);
    if (left > 0) {
      setTimeout(show, 500);
    } else {
      place.textContent = "no time";
    }
  };
  show();
});

// A second click sends nothing, for a while: whoever stopped waiting may send again.
each("form", (form) => {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
    setTimeout(() => {
      delete form.dataset.sent;
      form.removeAttribute("aria-busy");
    }, 10_000);
  });
});

// A page out of the history may show what is no longer so, or what was to be shown once: it is asked for anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.replace(location.href);
  }
});

each("[data-print]", (button) => button.addEventListener("click", () => print()));

each("[data-copy]", (button) => {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text.trim());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy it by hand";
    }
    setTimeout(() => (button.textContent = label), 2000);
  });
});

each("[data-reveal]", (button) => {
  const fields = button.dataset.reveal.split(" ").map((id) => document.getElementById(id));
  const label = button.textContent;
  button.addEventListener("click", () => {
    const show = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(show));
    button.textContent = show ? "Hide it again" : label;
    fields.forEach((field) => (field.type = show ? "text" : "password"));
  });
});
