// Live updates. The page is whole without this: an event says that something moved, and the page is asked for again.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !("EventSource" in window)) return;
  const told = document.getElementById("told");
  let etag = null;

  const here = new URL(location.href);
  const events = new URL(here.pathname.replace(/\/$/, "") + "/events", here.origin);
  if (main.dataset.position) events.searchParams.set("after", main.dataset.position);

  const refresh = async () => {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(here, { headers, cache: "no-store" });
    if (!answer.ok) return; // nothing new (304), or not now: the next event asks again
    etag = answer.headers.get("ETag");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.querySelector("main");
    if (!next) return;
    const focused = document.activeElement && main.contains(document.activeElement) ? document.activeElement.id : "";
    main.replaceChildren(...next.childNodes);
    document.title = fresh.title;
    showLive();
    if (focused) document.getElementById(focused)?.focus();
    told.textContent = next.dataset.updated || fresh.title;
  };

  const showLive = () => {
    const note = document.getElementById("live");
    if (note) note.hidden = false;
  };

  const source = new EventSource(events);
  source.addEventListener("open", showLive);
  source.addEventListener("moved", () => refresh().catch(() => {}));
  addEventListener("pagehide", () => source.close());
  // Back from the cache of the browser: it may have missed something.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
