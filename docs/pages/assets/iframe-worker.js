/* Browsers start no worker from a file. Where these pages are read as files, the search runs in a
   hidden frame instead, to which the page looks like what a worker's owner looks like. */
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      const load = source => new Promise((resolve, reject) => {
        const script = inside.document.createElement("script")
        script.src = source
        script.onload = resolve
        script.onerror = reject
        inside.document.body.append(script)
      })
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", {data}))
      inside.importScripts = (...sources) =>
        sources.reduce((done, source) => done.then(() => load(source)), Promise.resolve())
      this.ready = load(url)
    }
    postMessage(data) {
      const task = () => new this.frame.contentWindow.MessageEvent("message", {data})
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(task()))
    }
    terminate() {
      this.frame.remove()
    }
  }
  window.Worker = window.IFrameWorker
}
