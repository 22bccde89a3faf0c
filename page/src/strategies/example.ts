/** What a new strategy begins with: the project's own example, under a name that is free. */
import example from '../../../strategies/double_average.py?raw'

const EXT = /^(ext = \w+\(")[^"]*(")/m

export function exampleFor(taken: (name: string) => boolean): string {
  let name = '我的策略'
  for (let n = 2; taken(name); n++) name = `我的策略${n}`
  return example.replace(EXT, `$1${name}$2`)
}
