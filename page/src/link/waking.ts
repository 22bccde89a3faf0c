/**
 * A machine that slept: its clock has jumped, and the socket looks alive although the server has given it up. The
 * page then takes a new one at once, and until its snapshot is there shows nothing as of now.
 */

const LOOK_MS = 1000
/** A hidden tab's timers are put off up to a minute: that is no sleep. */
const SLEPT_MS = 90_000

/** Call `woke` once after each sleep. Answers how to stop. */
export function watchSleep(woke: () => void, now: () => number = Date.now): () => void {
  let last = now()
  const timer = setInterval(() => {
    const slept = now() - last > SLEPT_MS
    last = now()
    if (slept) woke()
  }, LOOK_MS)
  return () => clearInterval(timer)
}
