// The course of a batch as bins of time, for plots: what was done per second, and in which states its tasks were.

/** So many bins become one that there are no more than `most`; they are counted from the beginning, so that they stay where they are. */
export function merged({ begin, step, completed, failed }, most) {
  const wide = Math.max(1, Math.ceil(completed.length / most));
  const sums = (counts) => {
    const found = Array.from({ length: Math.ceil(counts.length / wide) }, () => 0);
    counts.forEach((number, at) => (found[Math.floor(at / wide)] += number));
    return found;
  };
  return { begin, step: step * wide, completed: sums(completed), failed: sums(failed) };
}

/** Bins as plots want them: per second, and as the share of each state at the end of each bin. One that has only begun is left out. */
export function bins({ timeline, end }, total, most, isOver) {
  const { begin, step, ...counts } = merged(timeline, most);
  const begun = counts.completed.length;
  const shown = !isOver && begun > 1 ? begun - 1 : begun;
  const times = Array.from({ length: shown }, (_, at) => begin + at * step);
  // The last one of all ends where the batch does.
  const lasts = (at) => (at === begun - 1 ? Math.min(step, Math.max(end - times[at], step / 2)) : step);
  const perSecond = (all) => all.slice(0, shown).map((number, at) => number / lasts(at));
  const summed = (all) => {
    let sum = 0;
    return all.slice(0, shown).map((number) => (sum += number));
  };
  const [done, lost] = [summed(counts.completed), summed(counts.failed)];
  return {
    times,
    step,
    completed: perSecond(counts.completed),
    failed: perSecond(counts.failed),
    done,
    lost,
    ended: done.map((number, at) => number + lost[at]),
    total: Math.max(total ?? 0, (done.at(-1) ?? 0) + (lost.at(-1) ?? 0), 1),
  };
}

/** The mean of a row of bins over the last seconds, or over all of them. */
export function mean(row, step, seconds = Infinity) {
  const last = row.slice(-Math.max(1, Math.min(row.length, Math.round(seconds / step))));
  return last.length ? last.reduce((sum, number) => sum + number, 0) / last.length : null;
}
