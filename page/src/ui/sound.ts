/** Short tones, made here: no file. A browser allows them after the first press of a key or a button. */

type Tone = [hertz: number, from: number, seconds: number]

const TONES: Record<string, Tone[]> = {
  good: [
    [880, 0, 0.09],
    [1320, 0.09, 0.12],
  ],
  info: [[660, 0, 0.08]],
  bad: [
    [440, 0, 0.14],
    [311, 0.16, 0.22],
  ],
  unsure: [
    [523, 0, 0.12],
    [523, 0.18, 0.12],
  ],
}

let context: AudioContext | undefined

function allow(): void {
  removeEventListener('pointerdown', allow)
  removeEventListener('keydown', allow)
  context = new AudioContext()
}

if (typeof AudioContext !== 'undefined') {
  addEventListener('pointerdown', allow)
  addEventListener('keydown', allow)
}

/** The tone of this kind of notice; nothing before the first gesture. */
export function play(kind: keyof typeof TONES): void {
  if (!context) return
  const now = context.currentTime
  for (const [hertz, from, seconds] of TONES[kind]!) {
    const tone = context.createOscillator()
    const loudness = context.createGain()
    tone.frequency.value = hertz
    loudness.gain.setValueAtTime(0.12, now + from)
    loudness.gain.exponentialRampToValueAtTime(0.001, now + from + seconds)
    tone.connect(loudness).connect(context.destination)
    tone.start(now + from)
    tone.stop(now + from + seconds)
  }
}
