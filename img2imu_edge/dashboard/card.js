// One wearable: what is known of it, and how it is drawn.
const KEPT = 600;

class Card {
  constructor(about) {
    Object.assign(this, about);  // the fields of `Layout`
    const root = document.querySelector("template").content.firstElementChild.cloneNode(true);
    main.append(root);
    this.$ = selector => root.querySelector(selector);
    this.sensors = this.channels.length / 3;
    this.ring = Object.assign(document.createElement("canvas"), {width: 2 * this.width, height: this.height});
    this.pen = this.ring.getContext("2d");
    this.kept = 2 * this.width * this.hop;
    this.values = new Float32Array(this.kept * this.channels.length).fill(NaN);
    this.columns = this.shown = this.samples = this.pace = this.came = 0;
    this.decisions = [];
    this.dirty = true;
    this.colours = Object.fromEntries(this.labels.map((label, i) => [label, colour(i)]));
    this.root = root;
    set(this.$("h2"), this.url);
    set(this.$(".sensors"), ["accelerometer", "gyroscope"].slice(0, this.sensors).reverse().join(" over "));
    set(this.$(".band"), `${this.frequencies[0].toPrecision(2)}–${this.frequencies[1].toPrecision(2)} Hz`);
    this.rows = Object.fromEntries(this.labels.map(label => {
      const name = make("b", this.$(".scores"), label.replaceAll("_", " "));
      const bar = make("i", make("div", this.$(".scores")));
      for (const element of [name, bar]) element.style.setProperty("--colour", this.colours[label]);
      return [label, {name, bar, share: make("span", this.$(".scores"))}];
    }));
    set(this.$(".parts"), `${this.$(".sensors").textContent}; what speaks for it glows`);
    this.facts = {};
    for (const name of ["coverage", "rate", "lost", "gaps", "reconnects", "latency"]) this.fact(name, "–");
    this.chosen = this.explained = null;  // on the timeline
    this.$(".why-button").onclick = () => this.ask(this.decisions.at(-1));
    this.$(".why .close").onclick = () => this.close();
    root.addEventListener("keydown", event => { if (event.key === "Escape") this.close(); });
    this.$(".timeline").onclick = event => this.ask(this.decisionAt(event.offsetX / event.target.clientWidth));
    this.$(".timeline").onkeydown = event => this.choose(event);
  }

  // The decision at a place of the timeline, from 0 to 1.
  decisionAt(place) {
    const at = this.now - this.span * (1 - place);
    return this.decisions.findLast(decision => decision.at <= at) ?? this.decisions[0];
  }

  choose(event) {
    const last = this.decisions.length - 1, step = {ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10}[event.key];
    if (event.key === "Enter" || event.key === " ") this.ask(this.chosen ?? this.decisions[last]);
    else if (event.key === "Home" || event.key === "End") this.chosen = this.decisions[event.key === "Home" ? 0 : last];
    else if (step) {
      const from = this.chosen ? this.decisions.indexOf(this.chosen) : last + (step < 0);
      this.chosen = this.decisions[Math.min(Math.max(from + step, 0), last)];
    } else return;
    event.preventDefault();
    if (this.chosen) {
      event.target.setAttribute("aria-valuemax", last);
      event.target.setAttribute("aria-valuenow", this.decisions.indexOf(this.chosen));
      event.target.setAttribute("aria-valuetext", `${this.chosen.time.toFixed(1)} s: ${named(this.chosen)}`);
    }
    this.dirty = true;
  }

  ask(decision) {
    if (!decision) return;
    this.explained = decision;
    this.$(".why").hidden = false;
    this.$(".why-button").setAttribute("aria-expanded", true);
    this.dirty = true;
    if (NO_PICTURE[decision.status]) return this.explain({problem: NO_PICTURE[decision.status]});
    set(this.$(".why p"), "Looking …");
    questions.ask(this, decision);
  }

  close() {
    if (this.$(".why").contains(document.activeElement)) this.$(".why-button").focus();
    this.$(".why").hidden = true;
    this.$(".why").classList.remove("found");
    this.$(".why-button").setAttribute("aria-expanded", false);
    this.explained = null;
    this.dirty = true;
  }

  // Shows an answer of the server, or a problem.
  explain(answer) {
    if (!this.explained || (answer.time ?? this.explained.time) !== this.explained.time) return;
    const root = this.$(".why"), decision = this.explained;
    root.classList.toggle("found", !answer.problem);
    if (answer.problem) return set(this.$(".why p"), answer.problem);
    const unknown = decision.status === "unknown" ? "Unlike anything it was trained on; the nearest is " : "";
    set(this.$(".why p"), unknown + answer.sentence);
    set(this.$(".when"), `${(decision.time - answer.seconds).toFixed(1)}–${decision.time.toFixed(1)} s`);
    const canvas = this.$(".why canvas");
    canvas.setAttribute("aria-label", answer.sentence);
    drawWhy(canvas, answer);
    this.$(".shares").replaceChildren();
    for (const [axis, share] of Object.entries(answer.axes)) {
      make("b", this.$(".shares"), axis.replace("acc_", "accelerometer ").replace("gyr_", "gyroscope ")).style.fontWeight = 400;
      make("i", make("div", this.$(".shares"))).style.width = `${100 * share}%`;
      make("span", this.$(".shares"), percent(share));
    }
  }

  addColumns(buffer, count, height) {
    for (let i = 0; i < count; i++) {
      const cells = new Uint8ClampedArray(buffer, 16 + 4 * height * i, 4 * height);
      this.pen.putImageData(new ImageData(cells, 1, height), this.columns++ % this.ring.width, 0);
    }
    const now = performance.now();  // what comes at once is shown by and by, until the next is due
    const late = this.columns - this.shown;
    this.pace = this.came ? late / Math.min(Math.max(now - this.came, 20), 2000) : Infinity;
    if (late > this.width || matchMedia("(prefers-reduced-motion)").matches) this.pace = Infinity;
    if (count) this.came = now;
    this.dirty = true;
  }

  addSamples(values, count) {
    const axes = this.channels.length;
    for (let i = 0; i < count; i++) {
      this.values.set(values.subarray(i * axes, (i + 1) * axes), (this.samples++ % this.kept) * axes);
    }
  }

  decide(decision) {
    this.decisions.push(decision);
    if (this.decisions.length > KEPT) this.decisions.shift();
    const sure = decision.status === "ok";
    set(this.$(".label"), sure ? decision.label.replaceAll("_", " ") : WAITING[decision.status]);
    set(this.$(".share"), sure ? percent(decision.confidence) : "");
    for (const [label, {name, bar, share}] of Object.entries(this.rows)) {
      const score = decision.scores[label] ?? 0;
      name.className = sure && label === decision.label ? "chosen" : "";
      bar.style.width = `${100 * score}%`;
      set(share, label in decision.scores ? percent(score) : "");
    }
    this.root.classList.add("started");
    this.fact("coverage", percent(decision.coverage), decision.coverage < .9);
    this.dirty = true;
  }

  link(stats) {
    set(this.$("h2"), stats.title || this.url);
    this.root.ariaLabel = stats.title || this.url;
    this.$(".why-button").ariaLabel = `Why? ${this.root.ariaLabel}`;
    set(this.$(".url"), stats.title ? this.url : "");
    set(this.$(".state"), stats.state === "silent" ? "no data" : stats.state);
    this.$(".state").dataset.state = stats.state;
    set(this.$(".error"), stats.error);
    this.fact("rate", `${stats.rate.toFixed(1)} Hz`);
    this.fact("lost", `${(100 * stats.lost).toFixed(1)} %`, stats.lost > .01);
    this.fact("gaps", `${stats.gaps}`);
    this.fact("reconnects", `${stats.reconnects}`);
    if (stats.battery !== null) this.fact("battery", `${stats.battery} %`, stats.battery < 15);
    this.fact("latency", stats.latency_ms === null ? "–" : `${Math.round(stats.latency_ms)} ms`);
    this.dirty = true;
  }

  fact(name, text, bad = false) {
    if (!this.facts[name]) {
      const pair = make("div", this.$("dl"));
      make("dt", pair, name);
      this.facts[name] = make("dd", pair);
      this.facts[name].dataset.fact = name;
    }
    set(this.facts[name], text);
    this.facts[name].className = bad ? "bad" : "";
  }

  draw(elapsed) {
    if (!this.dirty && this.shown === this.columns) return;
    this.dirty = false;
    this.shown = this.pace === Infinity ? this.columns : Math.min(this.columns, this.shown + this.pace * elapsed);
    this.drawPicture();
    this.drawTraces();
    this.drawTimeline();
  }

  drawPicture() {
    const {pen, w, h} = fit(this.$(".picture")), size = w / this.width, start = this.shown - this.width;
    pen.imageSmoothingEnabled = false;
    for (let i = Math.max(0, Math.floor(start)); i < this.shown;) {
      const from = i % this.ring.width, count = Math.min(this.ring.width - from, Math.ceil(this.shown) - i);
      pen.drawImage(this.ring, from, 0, count, this.height, (i - start) * size, 0, count * size, h);
      i += count;
    }
    pen.strokeStyle = "#fff";  // what the network sees
    pen.lineWidth = 2;
    pen.strokeRect(w - this.window * size, 1, this.window * size - 1, h - 2);
  }

  drawTraces() {
    const {pen, w, h} = fit(this.$(".traces")), axes = this.channels.length, shown = this.width * this.hop;
    const last = Math.min(this.samples, Math.round(this.shown * this.hop)), scales = [];
    const first = Math.max(0, last - shown, this.samples - this.kept);
    const value = (i, axis) => this.values[(i % this.kept) * axes + axis];
    pen.lineWidth = 1.2 * devicePixelRatio;
    for (let sensor = 0; sensor < this.sensors; sensor++) {
      let most = .01;
      for (let i = first; i < last; i++) {
        for (let axis = 3 * sensor; axis < 3 * sensor + 3; axis++) most = Math.max(most, Math.abs(value(i, axis)) || 0);
      }
      const scale = nice(most), middle = h * (this.sensors - sensor - .5) / this.sensors;
      scales.unshift(`±${scale} ${sensor ? "rad/s" : "m/s²"}`);
      for (let axis = 0; axis < 3; axis++) {
        pen.strokeStyle = css("--" + "xyz"[axis]);
        pen.beginPath();
        let drawn = false;
        for (let i = first; i < last; i++) {
          const y = value(i, 3 * sensor + axis);
          if (Number.isNaN(y)) { drawn = false; continue; }
          const at = [w * (1 - (last - i) / shown), middle - y / scale * h / this.sensors * .47];
          if (drawn) pen.lineTo(...at); else pen.moveTo(...at);
          drawn = true;
        }
        pen.stroke();
      }
    }
    set(this.$(".scale"), scales.join(" over "));
  }

  drawTimeline() {
    const {pen, w, h} = fit(this.$(".timeline")), now = this.now = Date.now() / 1000 - clockOffset;
    const age = now - (this.decisions[0]?.at ?? now), span = this.span = age < 60 ? 60 : age < 120 ? 120 : 300;
    const x = at => w * (1 - (now - at) / span), bottom = h - 2, room = h - 16 * devicePixelRatio;
    pen.font = `${11 * devicePixelRatio}px system-ui`;
    let run = 0;
    this.decisions.forEach((decision, i) => {
      const next = this.decisions[i + 1], end = next && next.at - decision.at < 2 ? next.at : Math.min(now, decision.at + .6);
      const sure = decision.status === "ok", tall = sure ? decision.confidence : decision.status === "unknown" ? 1 : .05;
      pen.fillStyle = sure ? this.colours[decision.label] : css("--unknown");
      pen.globalAlpha = decision.status === "unknown" ? .35 : 1;
      const from = Math.round(x(decision.at)), across = Math.max(1, Math.round(x(end)) - from);
      pen.fillRect(from, bottom - tall * room, across, tall * room);
      pen.globalAlpha = 1;
      if (next?.label === decision.label && next?.status === decision.status) return;
      const text = sure ? decision.label.replaceAll("_", " ") : decision.status === "unknown" ? "unknown" : "";
      const left = Math.max(0, x(this.decisions[run].at));
      pen.fillStyle = css("--text");
      if (pen.measureText(text).width < x(end) - left) pen.fillText(text, left, 12 * devicePixelRatio);
      run = i + 1;
    });
    for (const [decision, colour] of [[this.chosen, "--focus"], [this.explained, "--text"]]) {
      if (!decision) continue;
      pen.fillStyle = css(colour);
      pen.fillRect(x(decision.at), 0, 2 * devicePixelRatio, h);
    }
    set(this.$(".span"), `last ${span / 60} min`);
  }
}
