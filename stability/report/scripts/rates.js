// The share of runs that end in some way, with the interval that stability.statistics.rates gives it.
const rates = (() => {
  const NORMAL = 1.959963984540054 ** 2;
  const STUDENT = [12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.570581835636314, 2.4469118511449692];
  const NORMAL_FROM = 8;

  // Runs with the event and all runs of each point: how many independent runs they are worth.
  function effectiveRuns(points, share, total) {
    const most = points.reduce((sum, [, size]) => sum + size ** 2, 0) / total;
    const independent = (share * (1 - share)) / total;
    if (independent === 0) return points.length;
    const spread = points.reduce((sum, [count, size]) => sum + (count - share * size) ** 2, 0);
    const clustered = ((points.length / Math.max(1, points.length - 1)) * spread) / total ** 2;
    const telling = Math.min(points.filter(([count]) => count > 0).length, points.filter(([count, size]) => count < size).length);
    const weight = telling / (telling + 0.5);
    const seen = Math.max(1, Math.min(most, clustered / independent));
    return total / (weight * seen + (1 - weight) * most);
  }

  function breadthOf(effective, n, normal) {
    if (n >= NORMAL_FROM) return normal / effective;
    const student = STUDENT[Math.max(1, n - 1) - 1] ** 2;
    return Math.min(student / effective, normal / Math.min(effective, n));
  }

  // `points` and `happened` by row; null for the ends where a single point has several runs. Another squared
  // quantile is for eight points and more: of fewer, Student's is that of 95%.
  function rate(rows, points, happened, normal = NORMAL) {
    const grouped = new Map();
    for (const row of rows) {
      const pair = grouped.get(points[row]) ?? [0, 0];
      grouped.set(points[row], [pair[0] + Number(happened(row)), pair[1] + 1]);
    }
    const pairs = [...grouped.values()];
    const share = pairs.reduce((sum, [count]) => sum + count, 0) / rows.length;
    if (pairs.length === 1 && rows.length > 1) return { share, low: null, high: null };
    const breadth = breadthOf(effectiveRuns(pairs, share, rows.length), pairs.length, normal);
    const half = Math.sqrt(breadth * (share * (1 - share) + breadth / 4));
    const [low, high] = [-half, half].map((side) => (share + breadth / 2 + side) / (1 + breadth));
    return { share, low: Math.min(Math.max(0, low), share), high: Math.max(Math.min(1, high), share) };
  }

  return { rate };
})();
