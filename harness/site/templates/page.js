"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = { // a browser may forbid storage, above all for files
    get theme() { try { return localStorage.getItem("theme"); } catch { return null; } },
    set theme(value) { try { localStorage.setItem("theme", value); } catch { /* forgotten on the next page */ } },
  };
  if (["light", "dark"].includes(kept.theme)) root.dataset.theme = kept.theme;
  root.classList.add("scripted"); // before anything is drawn

  function themes() {
    const button = document.getElementById("theme");
    const now = () => root.dataset.theme || (dark.matches ? "dark" : "light");
    const other = () => (now() === "dark" ? "light" : "dark");
    const name = () => { button.textContent = other() === "dark" ? "Dark" : "Light"; button.title = `Change to ${other()} colours`; };
    button.hidden = false;
    button.addEventListener("click", () => { root.dataset.theme = kept.theme = other(); name(); });
    dark.addEventListener("change", name);
    name();
  }

  function tabs() {
    const list = document.querySelector(".tabs");
    if (!list) return;
    const all = [...list.querySelectorAll("a")];
    const panels = all.map((tab) => document.getElementById(tab.hash.slice(1)));
    list.setAttribute("role", "tablist");
    all.forEach((tab, place) => {
      tab.setAttribute("role", "tab");
      tab.id = `tab-${panels[place].id}`;
      tab.setAttribute("aria-controls", panels[place].id);
      panels[place].setAttribute("role", "tabpanel");
      panels[place].setAttribute("aria-labelledby", tab.id);
    });
    const show = (chosen) => all.forEach((tab, place) => {
      tab.setAttribute("aria-selected", place === chosen);
      tab.tabIndex = place === chosen ? 0 : -1;
      panels[place].hidden = place !== chosen;
    });
    const open = (place) => {
      show(place);
      history.replaceState(null, "", all[place].hash);
      all[place].focus();
      all[place].scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("a");
      if (!tab || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(all.indexOf(tab));
    });
    list.addEventListener("keydown", (event) => {
      const at = all.indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1, " ": at }[event.key];
      if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      open((to + all.length) % all.length);
    });
    const follow = () => { // a link may lead to a tab, or to something inside of one
      const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const place = target ? panels.findIndex((panel) => panel.contains(target)) : -1;
      show(Math.max(place, 0));
      if (place < 0 || target === panels[place]) return;
      if (target.matches("details")) target.open = true;
      target.scrollIntoView({ block: target.matches("tr") ? "center" : "start" });
    };
    addEventListener("hashchange", follow);
    follow();
  }

  function sorting(table) {
    const headings = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const original = [...body.rows];
    const sort = (column) => {
      const heading = headings[column];
      const opposite = { ascending: "descending", descending: "ascending" };
      const order = heading.ariaSort in opposite ? opposite[heading.ariaSort] : heading.dataset.first;
      headings.forEach((one) => one.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const isText = heading.matches(".method, .people");
      const keyed = original.map((row) => {
        const text = row.cells[column].textContent;
        return [row, isText ? text : parseFloat(text)];
      });
      const compare = ([, a], [, b]) => {
        if (isText) return sign * a.localeCompare(b, "en", { numeric: true });
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // what has no number stays last
        return sign * (a - b);
      };
      body.append(...keyed.sort(compare).map(([row]) => row));
    };
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      const arrow = document.createElement("span");
      arrow.className = "arrow";
      arrow.ariaHidden = "true";
      button.append(...heading.childNodes);
      if (heading.matches(".method, .interval, .people")) button.append(arrow);
      else button.prepend(arrow); // numbers stay flush with their heading
      button.addEventListener("click", () => sort(column));
      heading.append(button);
    });
  }

  function filtering(panel, table) {
    const tools = panel.querySelector(".tools");
    const input = tools.querySelector("[type=search]");
    const costs = tools.querySelector("[type=checkbox]");
    const output = tools.querySelector("output");
    const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
    tools.hidden = false;
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      output.textContent = `${shown} of ${rows.length} rows`;
    };
    input.addEventListener("input", filter);
    const fold = () => table.classList.toggle("costless", !costs.checked);
    costs?.addEventListener("change", fold);
    if (costs) fold(); // quality fits most screens, with costs beside it nothing does
    if (input.value) filter(); // a browser that goes back keeps what was typed
  }

  function comparing(chooser) { // two methods on all queries, and where the other has what one shows
    const panel = chooser.closest(".panel");
    const [one, other] = chooser.querySelectorAll("select");
    const galleries = [...panel.querySelectorAll("details.gallery")];
    chooser.hidden = false;
    other.value = "1";
    const ranks = (strip) => new Map([...strip.querySelectorAll("img")].map((image, at) => [image.getAttribute("src"), at + 1]));
    const note = (strip, others) => {
      for (const item of strip.querySelectorAll("li")) {
        const rank = others.get(item.querySelector("img").getAttribute("src"));
        const text = document.createElement("span");
        text.className = "other";
        text.textContent = rank ? `other: ${rank}` : "other: not shown";
        item.append(text);
      }
    };
    const show = () => {
      other.disabled = !one.value;
      panel.querySelectorAll(".answers .other").forEach((text) => text.remove());
      for (const gallery of galleries) {
        const all = [...gallery.querySelectorAll(".answers")];
        const pair = [one, other].map((select) => all.find((answers) => answers.dataset.row === select.value));
        all.forEach((answers, at) => { answers.hidden = one.value ? !pair.includes(answers) : at >= 5; });
        if (!one.value || pair[0] === pair[1]) continue;
        const [first, second] = pair.map(ranks);
        note(pair[0], second);
        note(pair[1], first);
      }
    };
    chooser.addEventListener("change", show);
    show();
  }

  function printing() { // what is folded is printed all the same
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      opened.forEach((details) => { details.open = true; });
      document.querySelectorAll("img[loading]").forEach((image) => { image.loading = "eager"; });
    });
    addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
  }

  function scrolling() { // what scrolls sideways on a phone is reached with the tab key
    const narrow = matchMedia("(max-width: 40rem)");
    const reach = () => document.querySelectorAll(".strip, .picture").forEach((wide) => {
      if (narrow.matches) wide.tabIndex = 0;
      else wide.removeAttribute("tabindex");
    });
    narrow.addEventListener("change", reach);
    reach();
  }

  function keys() { // as on many pages, / leads to the filter
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
      const filter = [...document.querySelectorAll("[type=search]")].find((input) => input.offsetParent);
      if (!filter) return;
      event.preventDefault();
      filter.focus();
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    themes();
    printing();
    keys();
    scrolling();
    for (const table of document.querySelectorAll("table.board")) {
      sorting(table);
      filtering(table.closest(".panel"), table);
    }
    document.querySelectorAll(".compare").forEach(comparing);
    tabs();
  });
})();
