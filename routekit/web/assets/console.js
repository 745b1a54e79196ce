// The console's own script: live figures, keys and colours. Pages work without it, only not by themselves.
(() => {
  "use strict";
  const root = document.documentElement;
  const colours = ["auto", "light", "dark"];
  const kept = (() => { try { return localStorage; } catch { return { getItem() {}, setItem() {} }; } })();
  const colour = (name) => {
    if (name === "auto") delete root.dataset.colours; else root.dataset.colours = name;
    kept.setItem("routekit.colours", name);
  };
  colour(colours.includes(kept.getItem("routekit.colours")) ? kept.getItem("routekit.colours") : "auto");

  const EVERY = 600;
  let paused = false, going = "", waiting;
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const marks = new Map();

  // Live figures: ask for each part of the page again, and exchange what has changed of it.
  async function refresh(part) {
    const address = part.dataset.live || location.pathname + location.search;
    const headers = { "HX-Request": "true" };
    const mark = marks.get(part.id);
    if (mark && mark.address === address) headers["If-None-Match"] = mark.tag;
    const answer = await fetch(address, { headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401 || answer.type === "opaqueredirect") return location.reload();
    if (answer.status === 304) return;
    if (answer.status === 404 || answer.status === 503) return location.reload();  // the page says what is gone
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    const now = part.dataset.live || location.pathname + location.search;
    if (now !== address) return;  // somebody searched meanwhile
    marks.set(part.id, { address, tag: answer.headers.get("ETag") });
    await htmx.swap({ text, target: part, sourceElement: part, swap: "innerMorph" });
  }
  let well = Date.now();
  async function tick() {
    clearTimeout(waiting);
    const began = Date.now();
    if (!document.hidden && !paused && !root.dataset.still) {
      try {
        await Promise.all(all("[data-live]").map(refresh));
        well = Date.now();
      } catch (error) { /* the next second tries again; the page says so below */ }
      away(Date.now() - well > 2500);
    }
    // a page that takes long to make is asked for less often
    waiting = setTimeout(tick, Math.max(EVERY - (Date.now() - began), 2 * (Date.now() - began) - EVERY, 100));
  }
  function away(gone) {
    const box = one(".away");
    if (!box || box.hidden !== gone) return;
    box.hidden = !gone;
    one("[data-since]").textContent = new Date(well).toLocaleTimeString();
  }
  function pause() {
    paused = !paused;
    const button = one("[data-do=pause]");
    button.setAttribute("aria-pressed", paused);
    button.querySelector("[data-word]").textContent = paused ? "paused" : "live";
    if (!paused) tick();
  }

  function step(by) {
    const rows = all("[data-row], .shape[href]").filter((row) => row.getClientRects().length);
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    const next = rows[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by, 0), rows.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
  const deeds = {
    pause,
    theme: () => colour(colours[(colours.indexOf(root.dataset.colours || "auto") + 1) % 3]),
    help: () => { const box = one("#help"); if (box.open) box.close(); else box.showModal(); },
  };
  const keys = {
    "/": () => { const box = one("[data-search]"); if (box) { box.focus(); box.select(); } },
    "?": deeds.help, p: pause, t: deeds.theme,
    ArrowDown: () => step(1), j: () => step(1), ArrowUp: () => step(-1), k: () => step(-1),
    u: () => one("[data-up]")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input, textarea, select");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      if (event.key === "ArrowDown" && event.target.matches("[data-search]")) { event.preventDefault(); event.target.blur(); step(1); }
      return;
    }
    if (one("#help")?.open && event.key !== "?") return;
    if (event.target.closest("pre, .canvas") === event.target && event.key.startsWith("Arrow")) return;
    if (going) {
      going = "";
      const letter = event.key === "r" ? "f" : event.key;
      const target = one(`[data-go="${CSS.escape(letter)}"]`);
      if (target) { event.preventDefault(); target.click(); }
      return;
    }
    if (event.key === "g") { going = "g"; setTimeout(() => { going = ""; }, 1500); return; }
    const deed = keys[event.key];
    if (deed) { event.preventDefault(); deed(); }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) deeds[button.dataset.do]();
    if (event.target.id === "help") event.target.close();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  // A search shows what it found in the live part, whose mark is then that of another address.
  document.addEventListener("htmx:after:swap", (event) => { if (event.detail.ctx?.request) marks.delete("live"); });
  document.addEventListener("submit", (event) => {
    for (const button of event.target.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
  });
  addEventListener("pageshow", () => all("button:disabled").forEach((button) => { button.disabled = false; }));
  document.addEventListener("DOMContentLoaded", () => { if (one("#live")) tick(); });
})();
