"use strict";
// What all parts of the page need: names, colours, elements, canvases.
const COLOURS = ["#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#a855f7", "#06b6d4", "#ec4899", "#84cc16", "#f97316", "#64748b"];
const WAITING = {warming_up: "warming up …", gap: "too few samples", unknown: "unknown motion"};

const percent = share => `${Math.round(share * 100)} %`;
function set(element, text) { if (element.textContent !== text) element.textContent = text; }
function make(tag, parent, text = "") {
  const element = parent.appendChild(document.createElement(tag));
  element.textContent = text;
  return element;
}

function named(decision) {
  return decision.status === "ok" ? `${decision.label.replaceAll("_", " ")}, ${percent(decision.confidence)}` : WAITING[decision.status];
}

function fit(canvas) {
  const w = Math.round(canvas.clientWidth * devicePixelRatio), h = Math.round(canvas.clientHeight * devicePixelRatio);
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, w, h);
  return {pen, w, h};
}

// Beyond the ten of the palette, hues a golden angle apart.
const colour = i => COLOURS[i] ?? `hsl(${(i * 137.5) % 360} 55% ${i % 2 ? 42 : 62}%)`;
function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return Number((power * [1, 2, 5, 10].find(step => step * power >= most)).toPrecision(1));
}

const css = name => theme.getPropertyValue(name), theme = getComputedStyle(document.documentElement);
