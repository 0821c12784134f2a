"use strict";
// The review page: what to look at next, a decision by key, undo, and claims of one's own. Texts reach the page as text nodes alone.
(() => {
  const $ = (id) => document.getElementById(id);
  const { element, render, spoken } = CaseView;
  const state = { current: null, queue: [], stance: null, relation: null, pair: false, busy: false };

  function say(text, good) {
    $("message").textContent = text;
    $("message").className = good ? "good" : "";
    $("message").hidden = !text;
  }

  async function ask(path, body) {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    let response, answer;
    try {
      response = await fetch(path, options);
      answer = await response.json();
    } catch {
      throw new Error("The server does not answer. Nothing was saved; start it again and reload this page.");
    }
    if (!response.ok) throw new Error(answer.error || response.statusText);
    return answer;
  }

  const reviewer = () => $("reviewer").value.trim();
  const query = () => "?reviewer=" + encodeURIComponent(reviewer());

  async function guarded(work) {
    if (state.busy) return;
    state.busy = true;
    try { await work(); } catch (error) { say(error.message); } finally { state.busy = false; }
  }

  function showProgress(figures) {
    $("bar").max = figures.rows;
    $("bar").value = figures.mine;
    $("count").textContent = `${figures.mine} of ${figures.rows} by you, ${figures.decided} by all`;
  }

  async function refresh() {
    const found = await ask("api/state" + query());
    showProgress(found);
    state.queue = found.queue;
    $("show-try").hidden = !found.can_try;
    drawQueue();
    $("agreement").replaceChildren(...found.agreement.map((one) => element("p", {},
      `${one.reviewers.join(" and ")}: ${one.rows} rows in common, ${Math.round(100 * one.agreed)}% alike` + (one.kappa === null ? "" : `, kappa ${one.kappa.toFixed(2)}`))));
    return found;
  }

  function drawQueue() {
    $("queue").replaceChildren(...state.queue.map((one) => {
      const figure = one.status === "error" ? "could not be verified" : `${spoken(one.label)}, ${one.confidence.toFixed(2)}${one.abstained ? ", withheld" : ""}`;
      const button = element("button", { type: "button", "data-n": one.n, "aria-current": one.n === state.current ? "true" : null }, one.claim || one.id, element("small", {}, figure));
      button.addEventListener("click", () => guarded(() => open(one.n)));
      return element("li", {}, button);
    }));
    if (!state.queue.length) $("queue").append(element("li", {}, "Nothing is left."));
  }

  async function open(n) {
    const found = await ask(`api/case/${n}` + query());
    Object.assign(state, { current: n, id: found.case.id, stance: null, relation: null });
    state.pair = typeof found.images.claim === "string" && typeof found.images.document === "string";
    const said = Array.isArray(found.others) ? found.others.map((one) => element("p", { class: "note" }, `${one.reviewer}: ${[one.stance, one.image_relation, one.note].filter(Boolean).join(", ")}`))
      : found.others ? [element("p", { class: "note" }, `${found.others} other decision${found.others > 1 ? "s" : ""}, shown when you have made yours.`)] : [];
    $("case").replaceChildren(element("h2", {}, `Row ${found.case.id}`), render(found.case, { ...found.images, source: (uri) => uri }), ...said);
    $("decision").hidden = false;
    $("images").hidden = !state.pair;
    $("note").value = found.mine ? found.mine.note : "";
    if (found.mine) { state.stance = found.mine.stance; state.relation = found.mine.image_relation; }
    drawChoice();
    drawQueue();
    location.hash = `row=${n}`;
    $("case").focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }

  function drawChoice() {
    for (const button of document.querySelectorAll("[data-stance]")) button.setAttribute("aria-pressed", String(button.dataset.stance === state.stance));
    for (const button of document.querySelectorAll("[data-relation]")) button.setAttribute("aria-pressed", String(button.dataset.relation === state.relation));
  }

  async function next() {
    await refresh();
    const waiting = state.queue.find((one) => one.n !== state.current);
    if (waiting) return open(waiting.n);
    state.current = null;
    $("decision").hidden = true;
    $("case").replaceChildren(element("p", {}, "All rows are decided. The command 'review export' writes the corrections."));
  }

  async function save() {
    if (state.current === null) return;
    if (!state.stance && !state.relation && !$("note").value.trim()) throw new Error("Choose what the evidence says, or write a note.");
    await ask("api/decide", { id: state.id, reviewer: reviewer(), stance: state.stance, image_relation: state.relation, note: $("note").value });
    say("");
    $("note").blur();
    await next();
  }

  async function skip() {
    const place = state.queue.findIndex((one) => one.n === state.current);
    const waiting = state.queue[(place + 1) % state.queue.length];
    if (waiting) await open(waiting.n);
  }

  async function undo() {
    const found = await ask("api/undo", { reviewer: reviewer() });
    if (found.n === null) { say("There is nothing to take back."); return; }
    await refresh();
    await open(found.n);
    say("The decision on this row was taken back.", true);
  }

  function chooseStance(stance) {
    state.stance = stance;
    drawChoice();
    // Without a pair of photos there is nothing else to say.
    if (!state.pair && !$("note").value.trim()) guarded(save);
  }

  function chooseRelation(relation) { if (state.pair) { state.relation = relation; drawChoice(); } }

  const KEYS = {
    s: () => chooseStance("support"), i: () => chooseStance("insufficient"), r: () => chooseStance("refute"),
    a: () => chooseRelation("agree"), d: () => chooseRelation("differ"),
    n: () => $("note").focus(), u: () => guarded(undo), j: () => guarded(skip), Enter: () => guarded(save),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("review-view").hidden || !reviewer()) return;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (typing && event.key === "Escape") { event.target.blur(); return; }
    if (typing || (event.key === "Enter" && event.target.tagName === "BUTTON") || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  for (const button of document.querySelectorAll("[data-stance]")) button.addEventListener("click", () => chooseStance(button.dataset.stance));
  for (const button of document.querySelectorAll("[data-relation]")) button.addEventListener("click", () => chooseRelation(button.dataset.relation));
  $("decision").addEventListener("submit", (event) => { event.preventDefault(); guarded(save); });
  $("skip").addEventListener("click", () => guarded(skip));
  $("undo").addEventListener("click", () => guarded(undo));

  async function begin() {
    try { localStorage.setItem("reviewer", reviewer()); } catch { /* private windows keep nothing */ }
    const found = await refresh();
    const wanted = /^#row=(\d+)$/.exec(location.hash);
    if (wanted && Number(wanted[1]) < found.rows) await open(Number(wanted[1]));
    else await next();
    say("");
  }
  $("reviewer").addEventListener("change", () => { if (reviewer()) guarded(begin); });

  function view(name) {
    for (const one of ["review", "try"]) {
      $(`${one}-view`).hidden = one !== name;
      $(`show-${one}`).setAttribute("aria-pressed", String(one === name));
    }
  }
  $("show-review").addEventListener("click", () => view("review"));
  $("show-try").addEventListener("click", () => view("try"));

  const base64 = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });

  $("try").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(async () => {
      say("Verifying …", true);
      const body = { claim: $("try-claim").value, document: $("try-document").value.trim() ? $("try-document").value : null };
      for (const side of ["claim", "document"]) {
        const file = $(`try-${side}-image`).files[0];
        if (file) body[`${side}_image`] = await base64(file);
      }
      const found = await ask("api/try", body);
      $("try-result").replaceChildren(render(found.case, { ...found.images, source: (uri) => uri }));
      say("");
      $("try-result").focus();
    });
  });

  try { $("reviewer").value = new URLSearchParams(location.search).get("reviewer") || localStorage.getItem("reviewer") || ""; } catch { /* as above */ }
  if (reviewer()) guarded(begin); else $("reviewer").focus();
})();
