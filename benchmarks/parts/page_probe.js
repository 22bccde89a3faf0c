// In the page, before its own scripts: frames, long tasks, and how long after a message's arrival it is painted.
(() => {
  const probe = { frames: [], tasks: [], painted: [], on: false }
  window.__probe = probe
  let last = 0
  const frame = (now) => {
    if (probe.on && last) probe.frames.push(now - last)
    last = now
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
  new PerformanceObserver((list) => {
    if (probe.on) for (const entry of list.getEntries()) probe.tasks.push(entry.duration)
  }).observe({ type: 'longtask' })

  // After the next frame's callbacks the browser paints, and then comes this message.
  const paint = new MessageChannel()
  let waiting = []
  paint.port1.onmessage = () => {
    const now = performance.now()
    for (const arrived of waiting) probe.painted.push(now - arrived)
    waiting = []
  }
  const Native = window.WebSocket
  window.WebSocket = class extends Native {
    constructor(...args) {
      super(...args)
      this.addEventListener('message', ({ data }) => {
        if (!probe.on || typeof data !== 'string' || !data.startsWith('42["ticks"')) return
        if (!waiting.length) requestAnimationFrame(() => paint.port2.postMessage(0))
        waiting.push(performance.now())
      })
    }
  }
  // How long after a press of the button the last order's state is no longer that it is being sent.
  probe.press = (selector, sending) =>
    new Promise((resolve, reject) => {
      const seen = new Set(document.querySelectorAll('[data-testid="last-order"]'))
      const began = performance.now()
      const look = () => {
        const row = document.querySelector('[data-testid="last-order"]')
        const state = row?.querySelector('b')?.textContent ?? ''
        if (!row || seen.has(row) || !state || state === sending) return
        watcher.disconnect()
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = () => resolve({ took: performance.now() - began, state })
          port2.postMessage(0)
        })
      }
      const watcher = new MutationObserver(look)
      watcher.observe(document.body, { subtree: true, childList: true, characterData: true })
      setTimeout(() => reject(new Error('no answer on the screen')), 10000)
      document.querySelector(selector).click()
    })
})()
