"use strict"

/**
 * Server-sent events read with fetch: the browser's own EventSource cannot send the token.
 */
const EventStream = (() => {
  /**
   * Each event as it arrives. Ends when the server ends the answer.
   * @param {ReadableStream<Uint8Array>} body
   * @param {{silenceMs: number}} options longest silence to bear; the server sends a comment every 15 s, so a longer one means a dead line
   * @returns {AsyncGenerator<{event: string, data: string}>}
   * @throws {Error} after that silence, and when the connection breaks
   */
  async function* read(body, { silenceMs }) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader()
    let buffer = ""
    try {
      for (;;) {
        const { value, done } = await within(silenceMs, reader.read())
        if (done) return
        buffer += value
        const blocks = buffer.split(/\r\n\r\n|\n\n/)
        buffer = blocks.pop() ?? ""
        for (const block of blocks) {
          const event = parse(block)
          if (event) yield event
        }
      }
    } finally {
      reader.cancel().catch(() => undefined) // A broken line has nothing left to cancel.
    }
  }

  /** One block of lines as an event; null for a comment alone. */
  function parse(block) {
    let event = "message"
    const data = []
    for (const line of block.split(/\r?\n/)) {
      const colon = line.indexOf(":")
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
      if (field === "event") event = value
      if (field === "data") data.push(value)
    }
    return data.length > 0 ? { event, data: data.join("\n") } : null
  }

  function within(ms, promise) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Nothing was heard for ${ms} ms`)), ms)
      promise.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  return Object.freeze({ read })
})()
