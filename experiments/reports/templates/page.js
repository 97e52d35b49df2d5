"use strict";
// Draws every figure of the page, and again when a choice, the mode or the width changes. Charts name
// their colours as CSS variables; what these stand for is put in here, so light and dark are one.
(() => {
  const VARIABLE = /^var\((--[a-z0-9-]+)\)$/;
  const CONFIG = {
    displaylogo: false, responsive: true,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  const NARROW_PX = 560;
  const hidden = new Set();

  const coloured = (value, style) => {
    if (typeof value === "string") {
      const named = VARIABLE.exec(value);
      return named ? style.getPropertyValue(named[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, coloured(each, style)]),
    );
  };

  const narrowed = (layout, width) => {
    if (width >= NARROW_PX) return layout;
    const axis = (each) => each && { ...each, tickfont: { ...each.tickfont, size: 10 } };
    return {
      ...layout, xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
      font: { ...layout.font, size: 11 },
    };
  };

  class Drawn {
    constructor(element) {
      this.element = element;
      this.plot = element.querySelector(".plot");
      this.content = JSON.parse(element.querySelector(".content").textContent);
      this.chosen = {};
      if (element.classList.contains("cells")) {
        this.source = new Cells(this.content, element.querySelector(".choices"));
      }
      element.querySelectorAll("button[data-choice]").forEach((button) => {
        button.addEventListener("click", () => this.press(button));
      });
      element.querySelectorAll("select").forEach((select) => {
        select.addEventListener("change", () => this.draw());
      });
    }

    press(button) {
      for (const other of button.parentElement.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      this.draw();
    }

    at() {
      const at = {};
      this.element.querySelectorAll('button[aria-pressed="true"]').forEach((button) => {
        at[button.dataset.choice] = button.dataset.value;
      });
      this.element.querySelectorAll("select[data-choice]").forEach((select) => {
        at[select.dataset.choice] = select.value;
      });
      return at;
    }

    chart() {
      if (this.source) return this.source.chart();
      const at = this.at();
      const fits = (view) => Object.entries(at).every(([choice, value]) => view.at[choice] === value);
      return this.content.find(fits).chart;
    }

    draw() {
      const style = getComputedStyle(document.documentElement);
      const { data, layout: { height, ...layout } } = coloured(this.chart(), style);
      this.plot.style.height = `${height ?? this.plot.dataset.height}px`;
      const shown = data.filter((trace) => !hidden.has(trace.meta?.run));
      const coarse = matchMedia("(pointer: coarse)").matches;
      const settled = { ...narrowed(layout, this.plot.clientWidth), dragmode: coarse ? false : "zoom" };
      return Plotly.react(this.plot, shown, settled, CONFIG);
    }
  }

  const drawn = [...document.querySelectorAll("figure.figure, figure.cells")].map(
    (element) => new Drawn(element),
  );
  const drawAll = async () => {
    for (const each of drawn) await each.draw();
  };
  document.querySelectorAll("input[data-run]").forEach((box) => {
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(box.dataset.run);
      else hidden.add(box.dataset.run);
      drawAll();
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll().then(() => {
    performance.mark("drawn");
    document.documentElement.dataset.drawn = "all";
  });
})();
