// Axes: values to places and back, and the ticks between.
const scales = (() => {
  const BENDS = {
    linear: { bend: Number, back: Number },
    log: { bend: (value) => (value > 0 ? Math.log10(value) : NaN), back: (height) => 10 ** height },
    // Linear about 0, logarithmic far from it: losses that explode beside those that do not.
    both: {
      bend: (value) => Math.sign(value) * Math.log10(1 + Math.abs(value)),
      back: (height) => Math.sign(height) * (10 ** Math.abs(height) - 1),
    },
  };

  // A scale over all finite values; `range` sets its ends instead.
  function make(kind, values, range = null) {
    const { bend, back } = BENDS[kind];
    let [low, high] = [Infinity, -Infinity];
    for (const value of range ?? values) {
      const bent = typeof value === "number" ? bend(value) : NaN;
      if (bent < low) low = bent;
      if (bent > high) high = bent;
    }
    if (!(low < high)) [low, high] = low === high ? [low - 0.5, high + 0.5] : [0, 1];
    const toShare = (value) => (bend(value) - low) / (high - low);
    return { isLog: kind !== "linear", toShare, toValue: (share) => back(low + share * (high - low)), ticks: () => ticks(kind, low, high) };
  }

  // A little room at both ends.
  function roomy(kind, values) {
    const plain = make(kind, values);
    return make(kind, [], [plain.toValue(-0.06), plain.toValue(1.06)]);
  }

  function ticks(kind, low, high) {
    if (kind === "log") return decades(low, high).map(short);
    if (kind === "linear") return even(low, high).map(short);
    return even(low, high).filter(Number.isInteger).map((power) => (power ? Math.sign(power) * 10 ** Math.abs(power) : 0));
  }

  function short(value) {
    return Number(value.toPrecision(6));
  }

  function even(low, high) {
    const rough = (high - low) / 4;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((size) => size * unit).find((size) => size >= rough);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: count }, (_, place) => (first + place) * step);
  }

  function decades(low, high) {
    const every = Math.max(1, Math.ceil((high - low) / 5));
    const leads = high - low > 2.2 ? [1] : high - low > 1 ? [1, 3] : [1, 2, 3, 5, 7];
    const found = [];
    for (let decade = Math.floor(low); decade <= Math.ceil(high); decade += 1) {
      if (decade % every === 0) found.push(...leads.map((lead) => lead * 10 ** decade));
    }
    return found.filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
  }

  return { make, roomy };
})();
