// The case browser: filters, list, deep links and keys. Everything it knows is in the page.
(() => {
  const { element, render, spoken } = CaseView;
  const $ = (id) => document.getElementById(id);
  const index = JSON.parse($("index").textContent);
  const total = index.ids.length, PAGE = 50;
  const facets = index.facets, main = ["label", "gold", "outcome", "change", "status", "withheld"];
  const controls = new Map();
  let shown = [], page = 0, current = -1, turn = 0;
  const unpacked = new Map();

  const images = (row) => ({ ...row.images, source: (key) => $(key).textContent });

  // Details are kept gzipped in base64; a part is unpacked when one of its cases is looked at.
  function part(number) {
    if (!unpacked.has(number)) {
      const packed = atob($(`cases-${number}`).textContent.trim());
      const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
      unpacked.set(number, new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json());
      if (unpacked.size > 20) unpacked.delete(unpacked.keys().next().value);
    }
    return unpacked.get(number);
  }

  function control(title, node, wide) { return element("label", { class: wide ? "wide" : null }, title, node); }

  function build() {
    const box = $("filters"), more = element("div");
    const search = element("input", { type: "search", id: "q", placeholder: "claim or id" });
    controls.set("q", search);
    box.append(control("Search", search, true));
    for (const facet of facets) {
      const counts = new Array(facet.names.length).fill(0);
      for (const code of facet.codes) counts[code] += 1;
      const select = element("select", { id: `facet-${facet.key}` }, element("option", { value: "" }, "all"),
        facet.names.map((name, code) => counts[code] ? element("option", { value: name }, `${spoken(name)} (${counts[code].toLocaleString("en")})`) : null));
      controls.set(facet.key, select);
      (main.includes(facet.key) ? box : more).append(control(facet.title, select));
    }
    const confidence = ["min", "max"].map((name) => {
      const input = element("input", { type: "number", min: 0, max: 1, step: .05, id: name });
      controls.set(name, input);
      return control(`Confidence ${name === "min" ? "from" : "to"}`, input);
    });
    more.append(...confidence);
    const order = element("select", { id: "sort" }, [["", "to be read first"], ["sure", "most confident first"], ["unsure", "least confident first"], ["id", "by id"]].map(([value, title]) => element("option", { value }, title)));
    controls.set("sort", order);
    more.append(control("Order", order));
    const reset = element("button", { type: "button", id: "reset" }, "Clear filters");
    reset.addEventListener("click", () => { for (const node of controls.values()) node.value = ""; changed(); });
    box.append(reset, element("details", { class: "more" }, element("summary", {}, "More filters"), more));
    for (const [name, node] of controls) node.addEventListener(name === "q" ? "input" : "change", changed);
  }

  const value = (name) => controls.has(name) ? controls.get(name).value : "";

  function filter() {
    const wanted = facets.filter((facet) => value(facet.key)).map((facet) => [facet.codes, facet.names.indexOf(value(facet.key))]);
    const query = value("q").toLowerCase().trim();
    const low = value("min") === "" ? null : Number(value("min")), high = value("max") === "" ? null : Number(value("max"));
    shown = [];
    for (let i = 0; i < total; i += 1) {
      if (wanted.some(([codes, code]) => codes[i] !== code)) continue;
      const sure = index.confidence[i];
      if ((low !== null && !(sure >= low)) || (high !== null && !(sure !== null && sure <= high))) continue;
      if (query && !index.claims[i].toLowerCase().includes(query) && !String(index.ids[i]).toLowerCase().includes(query)) continue;
      shown.push(i);
    }
    const orders = {
      sure: (a, b) => (index.confidence[b] ?? -1) - (index.confidence[a] ?? -1), unsure: (a, b) => (index.confidence[a] ?? 2) - (index.confidence[b] ?? 2),
      id: (a, b) => String(index.ids[a]).localeCompare(String(index.ids[b]), "en", { numeric: true }),
    };
    if (orders[value("sort")]) shown.sort(orders[value("sort")]);
  }

  const name = (key, i) => { const facet = facets.find((one) => one.key === key); return facet ? facet.names[facet.codes[i]] : null; };

  function rowOf(i) {
    const outcome = name("outcome", i), label = name("label", i);
    const mark = outcome === "wrong" ? element("span", { class: "wrong" }, "✗ wrong") : outcome === "right" ? element("span", { class: "right" }, "✓ right") : null;
    const sure = index.confidence[i];
    const button = element("button", { type: "button", "data-row": i, "aria-current": String(i === current) },
      element("span", { class: "said" }, element("span", {}, spoken(label), sure === null ? "" : ` · ${sure.toFixed(2)}`, name("withheld", i) === "withheld" ? element("span", { class: "withheld" }, "withheld") : null), mark),
      element("span", { class: "claim" }, index.claims[i] || `row ${index.ids[i]}`));
    button.addEventListener("click", () => open(i, true));
    return element("li", {}, button);
  }

  function list() {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    page = Math.min(page, pages - 1);
    $("rows").replaceChildren(...shown.slice(page * PAGE, (page + 1) * PAGE).map(rowOf));
    $("count").textContent = `${shown.length.toLocaleString("en")} of ${total.toLocaleString("en")} cases`;
    $("page").textContent = `page ${page + 1} of ${pages}`;
    $("previous-page").disabled = page === 0;
    $("next-page").disabled = page >= pages - 1;
    for (const [key, node] of controls) node.classList.toggle("set", node.value !== "");
    $("rows").scrollTop = 0;
  }

  function link() {
    const state = new URLSearchParams();
    for (const [key, node] of controls) if (node.value !== "") state.set(key, node.value);
    if (current >= 0) state.set("case", index.unique ? index.ids[current] : `#${current}`);
    const text = state.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  const narrow = () => matchMedia("(max-width: 820px)").matches;

  function changed() {
    page = 0; filter(); list();
    if (shown.length && !narrow() && !shown.includes(current)) open(shown[0], false); else link();
  }

  // Shows a case. `moved`: take a reader on a small screen there; `silent`: leave the address as it is.
  async function open(i, moved, silent) {
    current = i;
    const mine = ++turn;
    const at = shown.indexOf(i);
    if (at >= 0 && Math.floor(at / PAGE) !== page) { page = Math.floor(at / PAGE); list(); }
    for (const button of $("rows").querySelectorAll("button")) {
      const mine = Number(button.dataset.row) === i, box = $("rows");
      button.setAttribute("aria-current", String(mine));
      const top = button.offsetTop - box.offsetTop;
      if (mine && (top < box.scrollTop || top + button.offsetHeight > box.scrollTop + box.clientHeight)) box.scrollTop = top - box.clientHeight / 3;
    }
    if (!silent) link();
    let content;
    try {
      const row = (await part(Math.floor(i / index.chunk)))[i % index.chunk];
      content = render(row.case, images(row));
    } catch (error) {
      content = element("p", { class: "note" }, "This browser cannot unpack the case. Firefox 113, Chrome 80 and Safari 16.4 or newer can.");
    }
    if (mine !== turn) return; // another case was asked for meanwhile
    $("case").replaceChildren(content);
    $("where").textContent = `Case ${index.ids[i]}${at >= 0 ? `, ${(at + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}` : ""}`;
    $("previous").disabled = at <= 0;
    $("next").disabled = at < 0 || at >= shown.length - 1;
    $("browser").classList.add("open");
    if (moved && narrow()) { $("detail").scrollIntoView(); $("detail").focus({ preventScroll: true }); }
  }

  function close() {
    current = -1; link(); $("browser").classList.remove("open");
    $("browser").scrollIntoView();
  }

  function step(by) {
    if (!shown.length) return;
    const at = shown.indexOf(current);
    const to = at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + by));
    open(shown[to], false);
  }

  // A link names filters and a case, as #gold=Refute&label=Support_Text&case=17; other anchors are places in the page.
  function follow() {
    const text = location.hash.slice(1);
    if (!text.includes("=")) return false;
    const state = new URLSearchParams(text);
    for (const [key, node] of controls) { node.value = state.get(key) ?? ""; if (node.value !== (state.get(key) ?? "")) node.value = ""; }
    for (const node of $("filters").querySelectorAll("details")) node.open = [...node.querySelectorAll("select, input")].some((one) => one.value !== "");
    page = 0; filter(); list();
    const id = state.get("case");
    const place = id === null ? -1 : id.startsWith("#") && !index.unique ? Number(id.slice(1)) : index.ids.findIndex((one) => String(one) === id);
    $("cases").scrollIntoView();
    if (place >= 0 && place < total) open(place, true); else if (shown.length && !narrow()) open(shown[0], false, true);
    return true;
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape") { if (typing) event.target.blur(); else if ($("browser").classList.contains("open")) close(); return; }
    if (typing) return;
    const actions = { j: () => step(1), k: () => step(-1), "/": () => { $("q").focus(); $("cases").scrollIntoView(); }, w: () => { const node = controls.get("outcome"); if (node) { node.value = node.value === "wrong" ? "" : "wrong"; changed(); } } };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  }

  build(); filter(); list();
  for (const [id, action] of [["previous", () => step(-1)], ["next", () => step(1)], ["back", close]]) $(id).addEventListener("click", action);
  $("previous-page").addEventListener("click", () => { page -= 1; list(); });
  $("next-page").addEventListener("click", () => { page += 1; list(); });
  $("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", keys);
  addEventListener("hashchange", follow);
  // The first case stands open beside the list, without taking the reader away from the first screen.
  if (!follow() && total && !narrow()) open(shown[0], false, true);
})();
