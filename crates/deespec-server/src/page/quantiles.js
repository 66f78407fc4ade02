// Quantiles as far as buckets tell them: the estimate that the library's `Distribution::quantile` makes.

/** The buckets `[lower, upper, count]` in ascending order; `null` is a bound that is none. */
export const sorted = (buckets) => [...buckets].sort((a, b) => (a[0] ?? -Infinity) - (b[0] ?? -Infinity));

/** The q-quantile of sorted buckets, `null` where nothing was observed. */
export function quantile(buckets, q, native) {
  const total = buckets.reduce((sum, [, , count]) => sum + count, 0);
  if (!total) return null;
  const rank = q * total;
  let below = 0;
  for (const [lower, upper, count] of buckets) {
    if (below + count >= Math.max(1, Math.ceil(rank))) {
      const part = Math.min(Math.max((rank - below) / count, 0), 1);
      if (lower === null) return upper;
      if (upper === null) return lower;
      return native && lower * upper > 0 ? lower * (upper / lower) ** part : lower + (upper - lower) * part;
    }
    below += count;
  }
  return null;
}
