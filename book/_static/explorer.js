/* The explorer page: one cell of source and target by layer, and all cells at one layer, drawn from the data that
   xlv/report/explorer.py packs into the page. No library, no request; does nothing on pages without its container. */
"use strict";
(() => {
  const RED_BLUE = ["#053061", "#4393c3", "#f7f7f7", "#d6604d", "#67001f"];
  const ORANGE_PURPLE = ["#2d004b", "#8073ac", "#f7f7f7", "#e08214", "#7f3b08"];
  const MEASURES = {
    accuracy: { label: "Accuracy", low: 0, high: 1, colours: RED_BLUE },
    transfer: { label: "Transferability T", low: -0.3, high: 0.3, colours: RED_BLUE, signed: true },
    cosine: { label: "Cosine", low: -1, high: 1, colours: ORANGE_PURPLE },
  };
  const ORDERS = { resource: "Resource, most first", family: "Language family", own: "Own accuracy, best first" };

  // ---- numbers

  /** Decode `packed` of explorer.py. */
  function unpack({ bits, low, high, data }) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const codes = bits === 16 ? new Uint16Array(bytes.buffer) : bytes;
    const top = 2 ** bits - 2;
    return Float64Array.from(codes, (code) => (code > top ? NaN : low + (code / top) * (high - low)));
  }

  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

  /** Wilson's 95 % interval of a share of n trials. */
  function wilson(share, n) {
    const z = 1.959964;
    const centre = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
    const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
    return [centre - half, centre + half];
  }

  /** A measure of one cell, mean over the concepts shown; at layer 1 … L, or at the chosen layer for layer 0. */
  function value({ model, concepts }, measure, source, target, layer) {
    const of = (name, s, t) => mean(concepts.map((concept) => {
      const n = model.languages.length, cell = (concept * n + s) * n + t;
      return layer ? model[name][cell * model.layers + layer - 1] : model[`chosen_${name}`][cell];
    }));
    if (measure === "transfer") return of("accuracy", source, target) - of("accuracy", target, target);
    return of(measure, source, target);
  }

  const byLayer = (view, measure, source, target) =>
    Array.from({ length: view.model.layers }, (_, k) => value(view, measure, source, target, k + 1));

  /** Layers that the protocol chose, one a concept shown. */
  function chosenLayers({ model, concepts, source, target }) {
    const n = model.languages.length;
    return concepts.map((concept) => model.chosen_layer[(concept * n + source) * n + target]);
  }

  /** Indices of the languages in the order asked for; families stand in the order of their best-resourced language. */
  function sorted(view) {
    const { model, order, layer } = view;
    const own = model.languages.map((_, l) => value(view, "accuracy", l, l, layer));
    const families = [...new Set(model.order.map((l) => model.languages[l].family))];
    const key = {
      resource: () => 0,
      family: (l) => families.indexOf(model.languages[l].family),
      own: (l) => -own[l],
    }[order];
    return [...model.order].sort((a, b) => key(a) - key(b));
  }

  function write(number, signed = false) {
    if (Number.isNaN(number)) return "none";
    const text = Math.abs(number).toFixed(2);
    return (number < 0 && Number(text) ? "−" : signed && Number(text) ? "+" : "") + text;
  }

  // ---- colours

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  function colour(number, { low, high, colours }) {
    if (Number.isNaN(number)) return [221, 221, 221];
    const place = Math.min(1, Math.max(0, (number - low) / (high - low))) * (colours.length - 1);
    const left = Math.min(colours.length - 2, Math.floor(place));
    const [a, b] = [rgb(colours[left]), rgb(colours[left + 1])];
    return a.map((channel, i) => Math.round(channel + (b[i] - channel) * (place - left)));
  }

  /** Black or white, whichever has the higher contrast (never below 4.5 to 1). */
  function ink(channels) {
    const [r, g, b] = channels.map((c) => (c <= 10 ? c / 3294 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
  }

  // ---- elements

  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, content] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), content);
      else if (content !== false) element.setAttribute(name, content === true ? "" : content);
    }
    element.append(...children);
    return element;
  }
  const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  const choice = (label, name, options) =>
    el("label", {}, label, el("select", { name }, ...options.map(([key, text]) => el("option", { value: key }, text))));

  // ---- the two curves

  /** Curves over layers; `lines` are {values, kind}, `band` is [low, high] by layer. A click chooses the layer. */
  function chart({ width, label, low, centre, lines, band, marks, layer, choose }) {
    const height = 210, [left, right, top, bottom] = [34, 10, 10, 34];
    const layers = lines[0].values.length;
    const x = (k) => left + ((k - 1) / Math.max(1, layers - 1)) * (width - left - right);
    const y = (number) => top + ((1 - number) / (1 - low)) * (height - top - bottom);
    const points = (values) => values.map((number, i) => [x(i + 1), y(number)]).filter((point) => !point.some(isNaN));
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    for (let tick = low; tick <= 1.001; tick += low < 0 ? 0.5 : 0.25) {
      picture.append(
        svg("line", { class: tick === centre ? "grid centre" : "grid",
          x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
        svg("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, write(tick)));
    }
    const step = Math.ceil(layers / (width / 40));
    for (let k = 1; k <= layers; k += step) {
      picture.append(svg("text", { x: x(k), y: height - 18, "text-anchor": "middle" }, String(k)));
    }
    picture.append(svg("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, "layer"));
    if (band) {
      const around = [...points(band[0]), ...points(band[1]).reverse()];
      picture.append(svg("polygon", { class: "band", points: around.join(" ") }));
    }
    for (const { values, kind } of lines) {
      picture.append(svg("polyline", { class: `curve ${kind}`, points: points(values).join(" ") }));
    }
    for (const k of marks) {
      picture.append(svg("path", { class: "mark", d: `M${x(k)} ${y(low) - 9}l5 9h-10z` }));
    }
    if (layer) {
      picture.append(
        svg("line", { class: "rule", x1: x(layer), x2: x(layer), y1: top, y2: y(low) }),
        svg("circle", { class: "dot", cx: x(layer), cy: y(lines.at(-1).values[layer - 1]) || 0, r: 4 }));
    }
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect(), place = (event.clientX - box.left) * (width / box.width);
      const across = (place - left) / (width - left - right);
      choose(Math.min(layers, Math.max(1, Math.round(1 + across * (layers - 1)))));
    });
    return picture;
  }

  // ---- the heat map

  /** All cells as a grid: arrow keys, a click or Enter choose source and target. */
  function grid(view, choose) {
    const { model, measure, source, target, layer } = view;
    const scale = MEASURES[measure], order = sorted(view), languages = model.languages;
    const cell = (s, t) => {
      const number = value(view, measure, s, t, layer), channels = colour(number, scale);
      const hundredths = Number.isNaN(number) ? "" : String(Math.round(100 * Math.abs(number)));
      const sign = number < 0 && hundredths !== "0" ? "−" : scale.signed && hundredths !== "0" ? "+" : "";
      const here = s === source && t === target, step = order.indexOf(t) - order.indexOf(s);
      return el("td", {
        tabindex: here ? 0 : -1, "aria-selected": String(here), onclick: () => choose(s, t),
        class: view.order === "resource" && step === 1 ? "stair" : false,
        title: `${languages[s].name} to ${languages[t].name}: ${write(number, scale.signed)}`,
        style: `background:rgb(${channels});color:${ink(channels)}`,
      }, sign + hundredths);
    };
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const onkeydown = (event) => {
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      const go = (from, by) => order[Math.min(order.length - 1, Math.max(0, order.indexOf(from) + by))];
      choose(go(source, move[0]), go(target, move[1]));
    };
    const heads = order.map((t) => el("th", { scope: "col", title: languages[t].label }, languages[t].code));
    const rows = order.map((s) => el("tr", {},
      el("th", { scope: "row", title: languages[s].label }, el("span", { class: "wide" }, `${languages[s].name} `),
        languages[s].code),
      ...order.map((t) => cell(s, t))));
    return el("table", { role: "grid", "aria-label": `${scale.label} of all sources and targets`, onkeydown },
      el("thead", {}, el("tr", {},
        el("td", { class: "corner" }, el("span", { class: "wide" }, "↓ source, target →")), ...heads)),
      el("tbody", {}, ...rows));
  }

  function legend(measure) {
    const { label, low, high, colours, signed } = MEASURES[measure];
    const ends = [low, (low + high) / 2, high].map((number) => el("span", {}, write(number, signed)));
    return el("div", { class: "legend" }, el("span", {}, `${label}; cells in hundredths`),
      el("div", {}, el("div", { class: "bar", style: `background:linear-gradient(to right,${colours})` }),
        el("div", { class: "ends" }, ...ends)));
  }

  // ---- the sentence and the numbers

  /** Mean T from richer to poorer languages and back, and the share of positive cells of the first. */
  function triangle(view) {
    const order = view.model.order, cells = order.flatMap((s, i) => order.slice(i + 1).map((t) => [s, t]));
    const down = cells.map(([s, t]) => value(view, "transfer", s, t, view.layer));
    const up = cells.map(([s, t]) => value(view, "transfer", t, s, view.layer));
    const positive = Math.round((100 * down.filter((number) => number > 0).length) / Math.max(1, down.length));
    return `Mean T from richer to poorer languages ${write(mean(down), true)} (${positive} % of cells positive),`
      + ` from poorer to richer ${write(mean(up), true)}.`;
  }

  const pairsOf = ({ model, concepts }) => concepts.reduce((sum, concept) => sum + model.pairs[concept], 0);

  function sentence(view) {
    const { model, concepts, source, target, layer, protocol } = view;
    const [from, to] = [model.languages[source].name, model.languages[target].name];
    const what = concepts.length > 1 ? `mean over the ${concepts.length} values` : model.concepts[concepts[0]].name;
    const as = `${model.title}, ${model.text}`;
    const where = layer ? `layer ${layer} of ${model.layers}`
      : concepts.length > 1 ? `each concept's layer as chosen by protocol ${protocol}`
        : `layer ${chosenLayers(view)[0]} of ${model.layers}, as chosen by protocol ${protocol}`;
    const read = value(view, "accuracy", source, target, layer), n = pairsOf(view), [low, high] = wilson(read, n);
    const own = source === target ? "" : ` ${to}'s own vector reads at ${
      write(value(view, "accuracy", target, target, layer))}, so T = ${
      write(value(view, "transfer", source, target, layer), true)}; the cosine of the two vectors is ${
      write(value(view, "cosine", source, target, layer))}.`;
    return `${as}, ${what}, ${from} → ${to}, ${where}: accuracy ${write(read)} (95 % interval ${
      write(low)} to ${write(high)}, ${n} pairs).${own}`;
  }

  function table(view) {
    const { model, source, target } = view;
    const columns = ["accuracy", "transfer", "cosine"].map((measure) => byLayer(view, measure, source, target));
    const rows = columns[0].map((read, i) => {
      const [low, high] = wilson(read, pairsOf(view));
      const cells = [write(read), `${write(low)} to ${write(high)}`, write(columns[1][i], true), write(columns[2][i])];
      return el("tr", {}, el("th", { scope: "row" }, String(i + 1)), ...cells.map((text) => el("td", {}, text)));
    });
    const heads = ["layer", "accuracy", "95 % interval", "T", "cosine"].map((text) => el("th", { scope: "col" }, text));
    return el("table", {},
      el("caption", {}, `${model.title}, ${model.languages[source].name} → ${model.languages[target].name}`),
      el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
  }

  // ---- downloads

  function save(name, content) {
    const link = el("a", { href: URL.createObjectURL(content), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const nameOf = ({ model, concepts, measure }) => [model.title, model.text, measure,
    concepts.length > 1 ? "mean over values" : model.concepts[concepts[0]].name].join(" ").replace(/[^\w.-]+/g, "-");

  /** All cells of the heat map, one row each. */
  function csv(view) {
    const { model, layer } = view, rows = ["source,target,accuracy,transferability,cosine"];
    for (const s of sorted(view)) for (const t of sorted(view)) {
      const numbers = Object.keys({ accuracy: 0, transfer: 0, cosine: 0 }).map((m) => value(view, m, s, t, layer));
      rows.push([model.languages[s].code, model.languages[t].code, ...numbers.map((n) => n.toFixed(4))].join());
    }
    save(`${nameOf(view)}.csv`, new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
  }

  /** The heat map as a picture. */
  function png(view) {
    const order = sorted(view), { model: { languages, title, text }, measure, layer } = view;
    const size = 44, left = 70, top = 90, canvas = el("canvas"), paint = canvas.getContext("2d");
    canvas.width = left + size * order.length + 20;
    canvas.height = top + size * order.length + 20;
    const say = (words, x, y, align, font, style = "#000") => {
      Object.assign(paint, { font: `${font}px sans-serif`, textAlign: align, fillStyle: style });
      paint.fillText(words, x, y);
    };
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, canvas.width, canvas.height);
    say(`${title}, ${text}: ${MEASURES[measure].label} × 100`, 20, 30, "left", 20);
    say(triangle(view), 20, 55, "left", 13);
    order.forEach((s, i) => {
      say(languages[s].code, left - 12, top + size * i + 28, "right", 16);
      say(languages[s].code, left + size * (i + 0.5), top - 8, "center", 16);
      order.forEach((t, j) => {
        const number = value(view, measure, s, t, layer), channels = colour(number, MEASURES[measure]);
        paint.fillStyle = `rgb(${channels})`;
        paint.fillRect(left + size * j, top + size * i, size - 1, size - 1);
        if (!Number.isNaN(number)) {
          say(String(Math.round(100 * number)).replace("-", "−"), left + size * (j + 0.5), top + size * i + 28, "center",
            15, ink(channels));
        }
      });
    });
    canvas.toBlob((picture) => save(`${nameOf(view)}.png`, picture));
  }

  // ---- the page

  const ARRAYS = ["accuracy", "chosen_accuracy", "chosen_layer", "cosine", "chosen_cosine"];

  function start(container, data) {
    const shownLayer = el("span");
    const form = el("form", { "aria-label": "What to show", onsubmit: (event) => event.preventDefault() },
      choice("Model", "model", [...new Set(data.models.map(({ title }) => title))].map((title) => [title, title])),
      choice("Texts read as", "text", []),
      choice("Concept", "concept", []),
      choice("Source language", "source", []), choice("Target language", "target", []),
      el("label", {}, shownLayer,
        el("input", { type: "range", name: "layer", min: 1, step: 1, "aria-label": "Layer" })),
      el("label", { class: "check" }, el("input", { type: "checkbox", name: "chosen", checked: true }),
        " at the layer that the protocol chose"),
      choice("Heat map of", "measure", Object.entries(MEASURES).map(([key, { label }]) => [key, label])),
      choice("Languages sorted by", "order", Object.entries(ORDERS)));
    const said = el("p", { class: "said", "aria-live": "polite", "aria-atomic": "true" });
    const accuracy = el("figure"), cosine = el("figure"), heat = el("figure", { class: "heat" });
    const button = (text, make) => el("button", { type: "button", onclick: () => make(current()) }, text);
    const take = el("p", { class: "take" }, button("Download cells (CSV)", csv), button("Download map (PNG)", png),
      button("Copy link", () => navigator.clipboard?.writeText(location.href)));
    const numbers = el("details", {}, el("summary", {}, "The numbers by layer"), el("div", { class: "numbers" }));
    container.replaceChildren(form, said, el("div", { class: "curves" }, accuracy, cosine), heat, take, numbers);
    const fields = form.elements;

    function model() {
      const same = data.models.filter(({ title }) => title === fields.model.value);
      const chosen = same.find(({ text }) => text === fields.text.value) || same[0];
      for (const name of ARRAYS) if (chosen[name].data) chosen[name] = unpack(chosen[name]);
      return chosen;
    }

    /** Offer what the model has, and keep what was chosen where it has that too. */
    function offer() {
      const { concepts, languages, order, layers } = model();
      const texts = data.models.filter(({ title }) => title === fields.model.value).map(({ text }) => [text, text]);
      const spoken = order.map((l) => [languages[l].code, languages[l].label]);
      const values = concepts.filter((concept) => concept.value).length;
      const named = concepts.map(({ name, value: isValue }) => [name, isValue ? name : `${name} (control, no value)`]);
      const put = (field, options, otherwise) => {
        const before = field.value || otherwise;
        field.replaceChildren(...options.map(([key, text]) => el("option", { value: key }, text)));
        field.value = options.some(([key]) => key === before) ? before : options[0][0];
      };
      put(fields.text, texts, "");
      put(fields.concept, values > 1 ? [["", `mean over the ${values} values`], ...named] : named, "");
      put(fields.source, spoken, spoken[0][0]);
      put(fields.target, spoken, spoken[Math.min(1, spoken.length - 1)][0]);
      fields.layer.max = layers;
    }

    function current() {
      const shown = model(), index = (code) => shown.languages.findIndex((l) => l.code === code);
      const all = shown.concepts.map((_, i) => i), wanted = fields.concept.value;
      return {
        model: shown, protocol: data.protocol, measure: fields.measure.value, order: fields.order.value,
        concepts: all.filter((i) => (wanted ? shown.concepts[i].name === wanted : shown.concepts[i].value)),
        source: index(fields.source.value), target: index(fields.target.value),
        layer: fields.chosen.checked ? 0 : Number(fields.layer.value),
      };
    }

    function chooseLayer(layer) {
      fields.chosen.checked = false;
      fields.layer.value = layer;
      draw();
      remember(current());
    }

    function chooseCell(source, target) {
      const { languages } = model(), focused = heat.contains(document.activeElement);
      fields.source.value = languages[source].code;
      fields.target.value = languages[target].code;
      draw();
      remember(current());
      if (focused) heat.querySelector("[aria-selected=true]").focus();
    }

    function drawCurves(view) {
      const { model: { languages }, source, target, layer } = view;
      const [from, to] = [languages[source].name, languages[target].name], n = pairsOf(view);
      const read = byLayer(view, "accuracy", source, target), alike = byLayer(view, "cosine", source, target);
      const band = [0, 1].map((side) => read.map((share) => wilson(share, n)[side]));
      const common = { marks: chosenLayers(view), layer, choose: chooseLayer };
      const own = { values: byLayer(view, "accuracy", target, target), kind: "own" };
      const width = (figure) => Math.max(240, figure.clientWidth);
      accuracy.replaceChildren(
        chart({ ...common, width: width(accuracy), low: 0, centre: 0.5, band,
          lines: [own, { values: read, kind: "read" }],
          label: `Accuracy by layer, ${from} to ${to}: ${write(Math.min(...read))} to ${write(Math.max(...read))}.` }),
        el("figcaption", {}, el("b", {}, "Accuracy by layer. "), `Line and band: ${from} → ${to} with its 95 % Wilson`
          + ` interval over ${n} pairs. Dashed: ${to}'s own vector. 0.50 is chance.`
          + " Triangles: layers the protocol chose."));
      cosine.replaceChildren(
        chart({ ...common, width: width(cosine), low: Math.min(...alike) < 0 ? -1 : 0, centre: 0,
          lines: [{ values: alike, kind: "read" }],
          label: `Cosine by layer, ${from} to ${to}: ${write(Math.min(...alike))} to ${write(Math.max(...alike))}.` }),
        el("figcaption", {}, el("b", {}, "Plain cosine by layer "),
          `of the vectors of ${from} and ${to}, from all pairs.`));
    }

    const KEPT = ["model", "text", "concept", "source", "target", "measure", "order"];

    /** The view that the address asks for, else the one with the most to see; what is not there is left out. */
    function read() {
      const asked = new URLSearchParams(location.hash.slice(1));
      const wanted = { ...data.open, text: data.models[0].text, measure: "transfer", ...Object.fromEntries(asked) };
      const put = (name) => {
        if ([...fields[name].options].some(({ value: key }) => key === wanted[name])) fields[name].value = wanted[name];
      };
      put("model"), offer(), put("text"), offer();
      KEPT.slice(2).forEach(put);
      const layer = Number(wanted.layer);
      fields.chosen.checked = !(layer >= 1 && layer <= model().layers);
      if (!fields.chosen.checked) fields.layer.value = layer;
      draw();
    }

    function remember(view) {
      const state = KEPT.map((name) => [name, fields[name].value]);
      if (view.layer) state.push(["layer", view.layer]);
      history.replaceState(null, "", `#${new URLSearchParams(state)}`);
    }

    function draw() {
      const view = current(), layers = [...new Set(chosenLayers(view))].sort((a, b) => a - b);
      if (!view.layer) fields.layer.value = layers[Math.floor(layers.length / 2)];
      shownLayer.textContent = `Layer${layers.length > 1 && !view.layer ? "s" : ""} ${view.layer || layers.join(", ")}`;
      fields.layer.setAttribute("aria-valuetext", shownLayer.textContent);
      drawCurves(view);
      const at = view.layer ? `layer ${view.layer}` : "the chosen layers";
      heat.replaceChildren(
        el("figcaption", {}, el("b", {}, `${MEASURES[view.measure].label} at ${at}. `), "Sources down, targets across;"
          + ` the framed cell is the one above. Resource order: ${view.model.basis}. ${triangle(view)}`),
        el("div", { class: "scroll" }, grid(view, chooseCell)), legend(view.measure));
      numbers.lastChild.replaceChildren(table(view));
      said.textContent = sentence(view);
    }

    form.addEventListener("input", (event) => {
      if (event.target === fields.model || event.target === fields.text) offer();
      if (event.target === fields.layer) fields.chosen.checked = false;
      draw();
      remember(current());
    });
    new ResizeObserver(() => drawCurves(current())).observe(container);
    window.addEventListener("hashchange", read);
    read();
  }

  const container = document.querySelector(".xlv-explorer"), script = document.getElementById("xlv-data");
  if (container && script) start(container, JSON.parse(script.textContent));
})();
