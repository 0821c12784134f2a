"use strict";
// Draws one case (see factcheck/evaluation/report/cases.py). Texts of tables reach the page as text nodes alone, never as markup.
const CaseView = (() => {
  const STANCES = { support: "Supported", refute: "Refuted", insufficient: "Not enough evidence" };
  const RELATIONS = { agree: "same photo", differ: "different photos" };
  // The relation of the photos is part of some labels (Support_Text, ...) and of no Refute.
  const relationOf = (item) => item.image_relation && /_(Multimodal|Text)$/.test(item.label || "") ? ", " + RELATIONS[item.image_relation] : "";
  const DIFFERENCES = { equal: "the same", compatible: "compatible", conflicting: "in conflict", absent: "not said of the same thing" };

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") node.className = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
    return node;
  }

  const percent = (value, digits = 0) => (100 * value).toFixed(digits) + "%";
  const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±") + Math.abs(value).toFixed(2);
  const spoken = (label) => (label || "no verdict").replaceAll("_", " ");

  // Pieces [text, marks] as nodes: evidence sentences as <mark>, differences as underlined words with their meaning in words.
  function pieces(list, view) {
    const nodes = [];
    let mark = null, at = null;
    for (const [text, marks = {}] of list) {
      if (marks.gap) { nodes.push(element("span", { class: "gap" }, ` [… ${marks.gap.toLocaleString("en")} characters left out …] `)); mark = null; at = null; continue; }
      const node = marks.d === undefined ? document.createTextNode(text) : difference(text, view.differences[marks.d]);
      if (marks.e === undefined) { nodes.push(node); mark = null; at = null; continue; }
      if (marks.e !== at) {
        at = marks.e;
        mark = element("mark", { class: at === view.strongest ? "strong" : null, "data-evidence": at, tabindex: "-1" },
          element("sup", { class: "rank" }, String(at + 1)));
        nodes.push(mark);
      }
      mark.append(node);
    }
    return nodes;
  }

  function difference(text, found) {
    const meaning = `${found.kind}, ${DIFFERENCES[found.relation] || found.relation}` + (found.value ? `: claim “${found.claim_value}”, evidence “${found.value}”` : "");
    return element("span", { class: `diff diff-${found.relation}`, title: meaning }, text, element("span", { class: "visually-hidden" }, ` (${meaning})`));
  }

  function chips(item) {
    const chosen = item.status === "error" ? "error" : item.stance;
    const list = [element("span", { class: `chip chip-${chosen}` }, item.status === "error" ? "could not be verified" : `${STANCES[item.stance] || item.stance}${relationOf(item)}`)];
    if (item.confidence !== null) list.push(element("span", { class: "chip" }, `confidence ${item.confidence.toFixed(2)}`));
    if (item.abstained) list.push(element("span", { class: "chip" }, "withheld"));
    if (item.gold) list.push(element("span", { class: `chip ${item.right ? "chip-good" : "chip-bad"}` }, `${item.right ? "✓ right" : "✗ wrong"}, gold: ${spoken(item.gold)}`));
    if (item.before && item.before.label !== item.label) list.push(element("span", { class: "chip" }, `before: ${spoken(item.before.label)}${item.before.confidence === null ? "" : ", " + item.before.confidence.toFixed(2)}`));
    if (item.language) list.push(element("span", { class: "chip" }, item.language));
    if (item.date) list.push(element("span", { class: "chip" }, item.date));
    if (item.status === "degraded") list.push(element("span", { class: "chip" }, "degraded"));
    return element("p", { class: "chips" }, list);
  }

  function picture(side, title, item, images) {
    const key = images[side];
    const caption = [title];
    const gain = item.photo_attribution[`${side}_image`];
    if (gain !== undefined && gain !== null) caption.push(`attribution ${signed(gain)}`);
    const ocr = item.ocr[side];
    const context = item.photo_context[`${side}_image`] || [];
    return element("figure", {},
      typeof key === "string"
        ? element("img", { src: images.source(key), alt: `${title} of the claim ${item.id}${ocr ? ", with the text: " + ocr : ""}`, loading: "lazy" })
        : element("div", { class: "absent" }, key ? key.note : "no image"),
      element("figcaption", {}, caption.join(" · "), ocr ? element("span", {}, element("br"), `Text in the image: ${ocr}`) : null,
        context.map((fact) => element("span", {}, element("br"), `${fact.kind}: ${fact.value}`))));
  }

  function pictures(item, images) {
    const shown = ["claim", "document"].some((side) => images[side] && (typeof images[side] === "string" || images[side].note !== "no image"));
    if (!shown && item.image_similarity === null) return null;
    const alike = item.image_similarity === null ? null : `imilarity ${item.image_similarity.toFixed(2).replace("-", "−")}, cosine of the two embeddings`;
    const said = alike === null ? "Nothing was compared." : item.image_relation
      ? `The model takes them for ${item.image_relation === "agree" ? "the same photo" : "different photos"} (s${alike}).` : `S${alike}.`;
    return [element("h3", {}, "Photos"), element("div", { class: "pair" }, picture("claim", "Claim's photo", item, images), picture("document", "Document's photo", item, images)), element("p", { class: "note" }, said)];
  }

  function bars(item) {
    if (!item.probabilities) return null;
    const stance = (label) => label === item.label || label === item.stance;
    const gold = (label) => item.gold && (label === item.gold || label === item.gold.toLowerCase() || (item.probabilities.length === 3 && item.gold.toLowerCase().startsWith(label)));
    const rows = item.probabilities.flatMap(([name, value]) => {
      const fill = element("span", { class: stance(name) ? "fill chosen" : "fill" });
      fill.style.width = percent(value, 1);
      return [element("span", { class: gold(name) ? "gold" : null }, spoken(name), gold(name) ? " (gold)" : ""), element("span", { class: "bar", "aria-hidden": "true" }, fill), element("span", { class: "number" }, percent(value, 1))];
    });
    return [element("h3", {}, "Probabilities"), element("div", { class: "bars" }, rows)];
  }

  function evidenceList(item, view, root) {
    if (!item.evidence.length) return [element("h3", {}, "Evidence"), element("p", { class: "note" }, "No evidence sentence was found.")];
    const rows = item.evidence.map((one, place) => {
      const figures = [`retrieval score ${one.score === null ? "–" : one.score.toFixed(2)}`];
      if (one.attribution !== null) figures.push(`attribution ${signed(one.attribution)}`);
      if (!one.own) figures.push(`document ${one.document_id}, sentence ${one.sentence + 1}`);
      const jump = one.own ? element("button", { type: "button" }, "show in the document") : null;
      if (jump) jump.addEventListener("click", () => {
        for (const mark of root.querySelectorAll("mark.near")) mark.classList.remove("near");
        const mark = root.querySelector(`mark[data-evidence="${place}"]`);
        if (mark) { mark.classList.add("near"); mark.scrollIntoView({ block: "center", behavior: "smooth" }); mark.focus({ preventScroll: true }); }
      });
      return element("li", {}, element("span", { class: "place" }, `${place + 1}.`), element("span", { class: "text" }, pieces(one.text, view)),
        element("span", { class: "scores" }, figures.join(" · "), jump ? " · " : null, jump));
    });
    return [element("h3", {}, "Evidence, best first"), element("ol", { class: "evidence-list" }, rows),
      item.evidence.some((one) => one.attribution !== null) ? element("p", { class: "note" }, "Attribution: how much the verdict's probability drops without the sentence.") : null];
  }

  function differenceTable(item) {
    if (!item.differences.length) return null;
    const rows = item.differences.map((one) => element("tr", {}, element("td", {}, one.kind), element("td", {}, one.claim_value || "–"), element("td", {}, one.value || "–"), element("td", { class: `diff-${one.relation}` }, DIFFERENCES[one.relation] || one.relation)));
    return [element("h3", {}, "Differences"), element("table", { class: "differences" }, element("thead", {}, element("tr", {}, ["What", "Claim", "Evidence", "They are"].map((title) => element("th", { scope: "col" }, title)))), element("tbody", {}, rows))];
  }

  function foundAgain(item) {
    if (!item.photo_evidence.length) return null;
    return [element("h3", {}, "Photo found again"), element("ol", {}, item.photo_evidence.map((one) => element("li", {}, `${one.document_id}${one.date ? ", " + one.date : ""}: ${one.text} (similarity ${one.score === null ? "–" : one.score.toFixed(2)})`)))];
  }

  // A case as an element. `images` maps claim and document to a key or {note}, and `source(key)` gives the data URI of a key.
  function render(item, images) {
    const root = element("div", { class: "case" });
    const gains = item.evidence.map((one) => one.attribution === null ? -Infinity : one.attribution);
    const view = { differences: item.differences, strongest: Math.max(...gains) > -Infinity ? gains.indexOf(Math.max(...gains)) : 0 };
    const parts = [
      chips(item),
      item.claim ? element("p", { class: "claim-text text" }, pieces(item.claim, view)) : element("p", { class: "note" }, "A verdict table does not hold the claim; give the claims table to see it here."),
      item.explanation ? element("p", { class: "explanation" }, item.explanation) : null,
      item.reason ? element("p", { class: "note" }, `${item.status}: ${item.reason}`) : null,
      pictures(item, images), bars(item), differenceTable(item), evidenceList(item, view, root), foundAgain(item),
      item.document ? [element("h3", {}, "Document"), element("p", { class: "text" }, pieces(item.document, view))] : null,
    ];
    root.append(...parts.flat().filter((part) => part !== null));
    return root;
  }

  return { element, percent, render, spoken };
})();
