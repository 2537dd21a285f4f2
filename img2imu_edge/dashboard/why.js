// Why a decision was made: whom to ask, and how the answer is drawn.
const BUSY_MS = 400, PATIENCE_MS = 30000, HEAT = [255, 130, 30];
const NO_PICTURE = {
  warming_up: "It is warming up: there is no full window yet to explain.",
  gap: "Too few samples came: nothing was decided, so there is nothing to explain.",
};

// One question at a time: the server hears no other meanwhile. Of each card the latest one waits.
const questions = {
  asked: null, waiting: new Map(), timer: 0,
  ask(card, decision) {
    this.waiting.set(card, {decision, since: performance.now()});
    if (!this.asked) this.next();
  },
  next() {
    clearTimeout(this.timer);
    this.asked = null;
    const [first] = this.waiting;
    if (!first) return;
    const [card, {decision, since}] = first;
    this.asked = {card, decision, since};
    this.waiting.delete(card);
    if (link?.readyState !== WebSocket.OPEN) return this.failed("There is no connection to img2imu.");
    const label = decision.status === "ok" ? decision.label : null;
    link.send(JSON.stringify({why: card.index, time: decision.time, label}));
    this.timer = setTimeout(() => this.failed("No answer came; ask again."), PATIENCE_MS);
  },
  failed(text) {
    this.asked?.card.explain({problem: text});
    this.next();
  },
  answered(message) {
    const {card, decision, since} = this.asked ?? {};
    if (card?.index !== message.index || decision.time !== message.time) return;
    if (message.problem === "busy") {  // it explains for another browser, or rests
      clearTimeout(this.timer);
      if (performance.now() - since > PATIENCE_MS) return this.failed("It is busy explaining to others; ask again later.");
      if (!this.waiting.has(card)) this.waiting = new Map([[card, {decision, since}], ...this.waiting]);
      this.timer = setTimeout(() => this.next(), BUSY_MS);
      return;
    }
    card.explain(message);
    this.next();
  },
  forget() {
    clearTimeout(this.timer);
    this.asked = null;
    this.waiting.clear();
  },
};

// A window in grey, and what speaks for the decision in it: the server's image says so in its alpha.
function drawWhy(canvas, {image, width, height}) {
  const cells = Uint8ClampedArray.from(atob(image), letter => letter.charCodeAt(0));
  for (let i = 0; i < cells.length; i += 4) {
    const grey = .55 * Math.max(cells[i], cells[i + 1], cells[i + 2]), heat = cells[i + 3] / 255;
    const glow = Math.sqrt(heat);
    HEAT.forEach((colour, channel) => cells[i + channel] = grey * (1 - .75 * glow) + colour * .9 * glow);
    cells[i + 1] += 75 * heat;
    cells[i + 3] = 255;
  }
  Object.assign(canvas, {width, height});
  canvas.getContext("2d").putImageData(new ImageData(cells, width, height), 0, 0);
}
