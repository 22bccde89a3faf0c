/**
 * Which build of the page this is, and whether the server has another one by now: after an upgrade an open page
 * would ask for files that are gone. It is loaded anew once for each build, never again and again.
 */
import { Api } from '@/api/http'

const PLACE = 'ctpbee.reloaded'
let own: string | undefined

async function served(): Promise<string> {
  try {
    return (await new Api().data<{ build: string }>('GET', 'build.json')).build
  } catch {
    return '' // away, or being restarted: asked again with the next connection
  }
}

/** Looked at when the page begins, and each time that a socket comes back: an upgrade restarts the server. */
export async function checkBuild(reload: () => void = () => location.reload()): Promise<void> {
  const build = await served()
  if (!build) return
  own ??= build
  if (build !== own) reloadOnce(build, reload)
}

/**
 * A chunk that cannot be had is gone with the build it was of, or out of reach just now: then the page stays, with
 * what it shows, and fetches the chunk when it is wanted again. Browsers of before 2026 remember that it could not be
 * had: the second time the page is loaded anew.
 */
export function reloadOnMissingChunk(reload: () => void = () => location.reload()): void {
  let wasMissed = false
  addEventListener('vite:preloadError', () => {
    void served().then((build) => {
      if (!build) return
      if (build !== own) reloadOnce(build, reload)
      else if (wasMissed) reloadOnce('chunk', reload)
      wasMissed = true
    })
  })
}

function reloadOnce(why: string, reload: () => void): void {
  if (sessionStorage.getItem(PLACE) === why) return
  sessionStorage.setItem(PLACE, why)
  reload()
}
