// How likely a run at a place succeeds: what stability.questions.advice.chances does with what was fitted there.
const chance = (() => {
  const BOUND = 1.6448536269514722 ** 2;
  // The logistic curve's mean under a normal as a sum of error functions (Williams and Barber 1998, as in scikit-learn).
  const STEEPNESS = [0.41, 0.4, 0.37, 0.44, 0.39];
  const WEIGHTS = [-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654];

  // By its series of positive terms.
  function erf(x) {
    if (Math.abs(x) > 6) return Math.sign(x);
    let [sum, term] = [x, x];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }

  const logistic = (x) => 1 / (1 + Math.exp(-x));
  const expected = (mean, variance) => STEEPNESS.reduce((sum, steep, at) =>
    sum + (WEIGHTS[at] / 2) * (1 + erf((steep * mean) / Math.sqrt(1 + 2 * variance * steep * steep))), 0);
  const distance = (a, b, lengths) => Math.hypot(...a.map((value, at) => (value - b[at]) / (lengths ? lengths[at] : 1)));

  // Matern 5/2 and a constant.
  function kernel(a, b, { scale, lengths, level }) {
    const far = Math.sqrt(5) * distance(a, b, lengths);
    return scale * (1 + far + (far * far) / 3) * Math.exp(-far) + level;
  }

  const dot = (a, b, count) => {
    let sum = 0;
    for (let at = 0; at < count; at += 1) sum += a[at] * b[at];
    return sum;
  };

  // Rows of the lower triangle L of a matrix L L', given by its own lower triangle.
  function triangle(matrix) {
    const rows = [];
    for (const given of matrix) {
      const row = [];
      for (let at = 0; at < given.length - 1; at += 1) row.push((given[at] - dot(row, rows[at], at)) / rows[at][at]);
      row.push(Math.sqrt(given[row.length] - dot(row, row, row.length)));
      rows.push(row);
    }
    return rows;
  }

  function solved(rows, right) {
    const found = [];
    for (const [at, row] of rows.entries()) found.push((right[at] - dot(row, found, at)) / row[at]);
    return found;
  }

  // Laplace's approximation of a Gaussian process for yes and no (Rasmussen and Williams 2006, algorithm 3.2).
  function process(fitted, seen, happened) {
    const root = fitted.shares.map((share) => Math.sqrt(share * (1 - share)));
    const rows = triangle(seen.map((a, i) => seen.slice(0, i + 1).map((b, j) => Number(i === j) + root[i] * root[j] * kernel(a, b, fitted))));
    const surprise = fitted.shares.map((share, at) => Number(happened[at]) - share);
    return (place) => {
      const alike = seen.map((a) => kernel(a, place, fitted));
      const mean = dot(alike, surprise, alike.length);
      const known = solved(rows, alike.map((value, at) => value * root[at]));
      const variance = fitted.scale + fitted.level - dot(known, known, known.length);
      const mid = expected(mean, variance);
      const found = fitted.overall + fitted.weight * (mid - fitted.overall);
      const half = fitted.quantile * Math.sqrt(variance);
      return { chance: found, low: Math.min(logistic(mean - half), mid, found), high: Math.max(logistic(mean + half), mid, found) };
    };
  }

  // Where all ended alike the nearest points bound it.
  function alike(fitted, seen, points, happened, count) {
    return (place) => {
      const order = seen.map((a, at) => [distance(a, place), at]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      const near = new Set(order.slice(0, count).map(([, at]) => points[fitted.rows[at]]));
      const { low, high } = rates.rate(fitted.runs.filter((row) => near.has(points[row])), points, happened, BOUND);
      return { chance: fitted.overall, low: Math.min(low, fitted.overall), high: Math.max(high, fitted.overall) };
    };
  }

  // `seen` are the places of the fitted rows; `happened(row)` and `points` are of all rows.
  const make = (fitted, seen, points, happened, count) =>
    fitted.shares ? process(fitted, seen, fitted.rows.map(happened)) : alike(fitted, seen, points, happened, count);

  return { make, distance };
})();
