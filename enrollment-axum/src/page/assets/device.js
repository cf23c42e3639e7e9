// Key pairs that never leave this tab, and configurations made whole with them. Without this file a person pastes a
// public key, and fills in the marked line of the configuration.

import encodeQR from "./qr.js";

const PLACEHOLDER = "YOUR_PRIVATE_KEY";
const PREFIX = "enrollment-key:";

const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

// Where this tab keeps the private key of a public one: until the tab is closed or the person says so.
const keep = (pair) => sessionStorage.setItem(PREFIX + pair.publicKey, pair.privateKey);
const kept = (publicKey) => sessionStorage.getItem(PREFIX + publicKey);
function forget() {
  Object.keys(sessionStorage)
    .filter((name) => name.startsWith(PREFIX))
    .forEach((name) => sessionStorage.removeItem(name));
}

// X25519 (RFC 7748). The last 32 bytes of the PKCS #8 document are the key (RFC 8410, section 7).
async function makePair() {
  const pair = await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
  const secret = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)).slice(-32);
  // Clamped as `wg genkey` does (RFC 7748, section 5), so that every tool shows the same text.
  secret[0] &= 248;
  secret[31] = (secret[31] & 127) | 64;
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return { privateKey: base64(secret), publicKey: base64(point) };
}

// The form that adds a device: offers to make the key here, where the browser can.
async function offer(form) {
  const paste = form.querySelector("[data-paste]");
  const input = form.elements.public_key;
  const show = () => {
    const pasting = form.elements.way.value === "paste";
    // What is wrong with it must be seen.
    paste.hidden = !pasting && !input.hasAttribute("aria-invalid");
    input.required = pasting;
  };
  form.addEventListener("change", show);
  try {
    const pair = await makePair();
    keep({ publicKey: "probe", privateKey: "" });
    sessionStorage.removeItem(PREFIX + "probe");
    form.querySelector("[data-make]").hidden = false;
    if (!input.value && !input.hasAttribute("aria-invalid")) {
      form.querySelector("#way-here").checked = true;
    }
    form.addEventListener("submit", () => {
      if (form.elements.way.value === "here") {
        keep(pair);
        form.elements.made_key.value = pair.publicKey;
      }
    });
  } catch {
    // No X25519, no secure connection or no storage: a key is pasted.
  }
  show();
}

const SVG = "http://www.w3.org/2000/svg";

function drawn(text) {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: 4 });
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${rows.length} ${rows.length}`);
  svg.setAttribute("width", "240");
  svg.setAttribute("shape-rendering", "crispEdges");
  const dark = document.createElementNS(SVG, "path");
  dark.setAttribute("d", path);
  dark.setAttribute("fill", "#000");
  svg.append(dark);
  return svg;
}

// The last page: fills in what this tab has kept.
function fill(section) {
  const privateKey = kept(section.dataset.key);
  if (!privateKey) {
    return;
  }
  section.querySelectorAll("[data-config]").forEach((config) => {
    const place = config.querySelector("[data-text]");
    const text = place.textContent.replace(PLACEHOLDER, privateKey);
    place.textContent = text;
    config.querySelector("a[download]").href = `data:text/plain;charset=utf-8,${encodeURIComponent(text)}`;
    try {
      const qr = config.querySelector("[data-qr]");
      qr.append(drawn(text));
      qr.hidden = false;
      config.querySelector("[data-scan]").hidden = false;
    } catch {
      // Too long for a QR code: there is the file.
    }
  });
  section.querySelectorAll("[data-filled]").forEach((part) => (part.hidden = false));
  section.querySelectorAll("[data-unfilled]").forEach((part) => (part.hidden = true));
  section.querySelector("[data-forget]").addEventListener("click", () => {
    forget();
    location.reload();
  });
}

document.querySelectorAll("[data-device]").forEach(offer);
document.querySelectorAll("[data-configs]").forEach(fill);
