// The keyboard. Everything works without this, by Tab and Enter; single letters can be turned off.
"use strict";
(() => {
  const KEEP = "ops-keys-off";
  const dialog = document.getElementById("keys");
  if (!dialog) return; // nobody is logged in
  const opener = document.getElementById("open-keys");
  const on = document.getElementById("keys-on");
  const store = { // a browser may refuse to keep anything
    get off() { try { return localStorage.getItem(KEEP) === "1"; } catch { return false; } },
    set off(value) { try { localStorage.setItem(KEEP, value ? "1" : "0"); } catch { /* until the next page */ } },
  };

  opener.hidden = false;
  opener.addEventListener("click", () => dialog.showModal());
  on.checked = !store.off;
  on.addEventListener("change", () => { store.off = !on.checked; });

  // The links that lead from the rows of the page's lists, in their order.
  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const to = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
    all[to].focus();
    all[to].scrollIntoView({ block: "nearest" });
  };
  const actions = {
    "/": () => { const field = document.getElementById("find"); field?.focus(); field?.select(); },
    "?": () => dialog.showModal(),
    "j": () => move(1),
    "k": () => move(-1),
  };

  // What was sent is recorded in a moment: look again, a few times, at longer and longer intervals.
  const LOOKS = "ops-looks";
  const pending = document.querySelector("[data-pending]");
  let looks = 0;
  try { looks = Number(sessionStorage.getItem(LOOKS)) || 0; sessionStorage.setItem(LOOKS, pending ? looks + 1 : 0); } catch { looks = 9; }
  if (pending && looks < 6) setTimeout(() => location.reload(), 1000 * 2 ** looks);

  addEventListener("keydown", (event) => {
    if (!on.checked || dialog.open || event.defaultPrevented || event.isComposing) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat && !"jk".includes(event.key)) return;
    const field = event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]");
    const action = actions[event.key];
    if (field || !action) return;
    event.preventDefault();
    action();
  });
})();
