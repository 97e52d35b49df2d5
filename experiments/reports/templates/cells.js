"use strict";
// Draws the cells of a sweep: a map over two axes, or lines over one, of the measure one chooses. Of
// every other axis a filter picks one value, or all, of which the mean is drawn.
const ALL = "all (mean)";
const LINES = "lines";
const STATES = ["", "no steady state", "failed"];
const WORDS = { "-1": "does not hold", 0: "too few samples", 1: "holds" };

class Cells {
  constructor(content, panel) {
    this.content = content;
    this.axes = content.axes;
    this.count = content.states.length;
    this.panel = panel;
    const names = this.axes.map((axis) => axis.name);
    const others = names.filter((name) => name !== content.policy);
    const across = others[0] ?? names[0];
    const up = others[1] ?? LINES;
    this.measure = this.offer("figure", content.measures.map((each) => each.title), 0);
    this.across = this.offer("across", names, names.indexOf(across));
    this.up = this.offer("up", [LINES, ...names], [LINES, ...names].indexOf(up));
    this.filters = Object.fromEntries(this.axes.map((axis) => [
      axis.name, this.offer(axis.name, [...axis.values, ALL], 0),
    ]));
  }

  offer(name, values, first) {
    const label = document.createElement("label");
    label.className = "choice";
    const text = label.appendChild(document.createElement("span"));
    text.textContent = name;
    const select = label.appendChild(document.createElement("select"));
    select.name = name;
    values.forEach((value, place) => select.add(new Option(value, String(place))));
    select.selectedIndex = first;
    this.panel.append(label);
    return select;
  }

  axis(name) { return this.axes.find((axis) => axis.name === name); }

  chosen() {
    const names = this.axes.map((axis) => axis.name);
    const across = names[this.across.selectedIndex];
    const up = [LINES, ...names][this.up.selectedIndex];
    return { across, up: up === across ? LINES : up };
  }

  chart() {
    const { across, up } = this.chosen();
    const measure = this.content.measures[this.measure.selectedIndex];
    const series = up === LINES ? this.grouped(across) : up;
    for (const [name, select] of Object.entries(this.filters)) {
      select.parentElement.hidden = name === across || name === series;
    }
    const fields = this.fields(across, series, measure);
    return up === LINES
      ? this.lines(across, series, fields, measure) : this.map(across, up, fields, measure);
  }

  // Lines are told apart by policy, unless that is what they go across.
  grouped(across) {
    const policy = this.axis(this.content.policy);
    return policy && across !== policy.name ? policy.name : null;
  }

  matching(except) {
    const wanted = this.axes.filter((axis) => !except.includes(axis.name)).map((axis) => [
      axis.places, this.filters[axis.name].selectedIndex, axis.values.length,
    ]);
    const found = [];
    for (let cell = 0; cell < this.count; cell += 1) {
      if (wanted.every(([places, value, all]) =>
        value === all || places[cell] === value || places[cell] === -1)) found.push(cell);
    }
    return found;
  }

  // Returns a field per value of both axes: which cells it is of, their mean, and their state.
  fields(across, series, measure) {
    const x = this.axis(across);
    const y = series === null ? { values: [""], places: null } : this.axis(series);
    const fields = y.values.map(() => x.values.map(() => ({ cells: [] })));
    for (const cell of this.matching([across, series])) {
      const columns = x.places[cell] === -1 ? x.values.keys() : [x.places[cell]];
      const rows = y.places === null ? [0] : y.places[cell] === -1 ? y.values.keys() : [y.places[cell]];
      const under = [...columns];
      for (const row of rows) for (const column of under) fields[row][column].cells.push(cell);
    }
    fields.flat().forEach((field) => this.settle(field, measure));
    return fields;
  }

  settle(field, measure) {
    const states = new Set(field.cells.map((cell) => this.state(cell, measure)));
    const values = field.cells.map((cell) => measure.values[cell]);
    field.states = [...states].filter((state) => state > 0).map((state) => STATES[state]);
    const known = field.states.length === 0 && values.length > 0 && !values.includes(null);
    const mean = () => values.reduce((sum, each) => sum + each, 0) / values.length;
    field.value = known ? (measure.verdict ? Math.min(...values) : mean()) : null;
  }

  state(cell, measure) {
    const state = this.content.states[cell];
    return state === 1 && !measure.timed ? 0 : state;
  }

  told(field, measure) {
    const kind = measure.verdict ? "worst" : "mean";
    const count = field.cells.length === 1 ? "" : `, ${kind} of ${field.cells.length} cells`;
    if (field.value === null) return `${field.states.join(", ") || "no cell"}${count}`;
    if (measure.verdict) return `${WORDS[field.value]}${count}`;
    return `${Number(field.value.toPrecision(4))} ${measure.unit}${count}`;
  }

  map(across, up, fields, measure) {
    const [x, y] = [this.axis(across).values, this.axis(up).values];
    const shared = { x, y, type: "heatmap", xgap: 1, ygap: 1, hoverongaps: false };
    const text = fields.map((row) => row.map((field) => this.told(field, measure)));
    const hovertemplate = `${across} %{x}<br>${up} %{y}<br>%{text}<extra></extra>`;
    const few = x.length * y.length <= 150;
    const shades = measure.less
      ? [[0, "var(--low)"], [0.5, "var(--middle)"], [1, "var(--high)"]]
      : [[0, "var(--high)"], [0.5, "var(--middle)"], [1, "var(--low)"]];
    const verdict = {
      zmin: -1, zmax: 1, showscale: false, ...(few ? { texttemplate: "%{text}" } : {}),
      colorscale: [
        [0, "var(--bad-field)"], [0.5, "var(--unsure-field)"], [1, "var(--good-field)"],
      ],
    };
    const values = {
      ...shared, z: fields.map((row) => row.map((field) => field.value)), text, hovertemplate,
      colorscale: shades, colorbar: { title: { text: measure.unit }, thickness: 12, outlinewidth: 0 },
      ...(few ? { texttemplate: "%{z:.3~g}" } : {}), ...(measure.verdict ? verdict : {}),
    };
    const without = {
      ...shared, text, hovertemplate, showscale: false,
      z: fields.map((row) => row.map((field) => (field.states.length ? 1 : null))),
      colorscale: [[0, "var(--void)"], [1, "var(--void)"]],
    };
    return { data: [values, without], layout: this.layout(across, up) };
  }

  lines(across, series, fields, measure) {
    const x = this.axis(across).values;
    const names = series === null ? [measure.title] : this.axis(series).values;
    const { colours } = this.content.layout;
    const data = fields.map((row, place) => ({
      type: "scatter", mode: "lines+markers", x, y: row.map((field) => field.value), name: names[place],
      line: { color: colours[place % colours.length], width: 2 },
      error_y: this.interval(row, measure),
      text: row.map((field) => this.told(field, measure)),
      hovertemplate: `${across} %{x}<br>%{text}<extra>${names[place]}</extra>`,
    })).filter((trace) => trace.y.some((value) => value !== null));
    const layout = this.layout(across, measure.title);
    layout.yaxis = { ...layout.yaxis, type: "linear", rangemode: "tozero" };
    if (measure.verdict) {
      Object.assign(layout.yaxis, { tickvals: [-1, 0, 1], ticktext: [-1, 0, 1].map((n) => WORDS[n]) });
    }
    layout.showlegend = series !== null;
    layout.legend = { orientation: "h", yanchor: "bottom", y: 1.02, x: 0 };
    if (measure.unit === "ms" && this.content.layout.deadline) {
      layout.shapes = [this.content.layout.deadline];
    }
    return { data, layout };
  }

  interval(row, measure) {
    if (!measure.low || row.some((field) => field.cells.length > 1)) return undefined;
    const reach = (bound, sign) => row.map((field) => {
      const value = measure[bound][field.cells[0]];
      return value === null || value === undefined || field.value === null
        ? 0 : sign * (value - field.value);
    });
    return {
      type: "data", symmetric: false, array: reach("high", 1), arrayminus: reach("low", -1),
      thickness: 1, width: 4,
    };
  }

  layout(across, up) {
    const { plain } = this.content.layout;
    const titled = (axis, text, more) => ({ ...axis, ...more, title: { ...axis.title, text } });
    return {
      ...plain, xaxis: titled(plain.xaxis, across, { showgrid: false }),
      yaxis: titled(plain.yaxis, up, { type: "category" }),
    };
  }
}
