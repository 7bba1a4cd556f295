/** What this page keeps on the device. Storage may be full or forbidden: then it is kept for as long as the page lives. */

const memory = new Map<string, string>()

export function read<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(key) ?? memory.get(key)
    return text == null ? otherwise : (JSON.parse(text) as T)
  } catch {
    return otherwise
  }
}

export function write(key: string, value: unknown): void {
  const text = JSON.stringify(value)
  memory.set(key, text)
  try {
    localStorage.setItem(key, text)
  } catch {
    /* kept in memory */
  }
}

export function forget(key: string): void {
  memory.delete(key)
  try {
    localStorage.removeItem(key)
  } catch {
    /* nothing was kept */
  }
}

/** Every key that begins with `prefix`. */
export function keys(prefix: string): string[] {
  const found = new Set([...memory.keys()].filter((key) => key.startsWith(prefix)))
  try {
    for (let at = 0; at < localStorage.length; at += 1) {
      const key = localStorage.key(at)
      if (key?.startsWith(prefix)) found.add(key)
    }
  } catch {
    /* memory only */
  }
  return [...found]
}
