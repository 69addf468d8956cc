// Boards: filter by words that a row holds, sort by a heading; without a script the whole table is shown in its order.
document.querySelectorAll(".board").forEach((board) => {
  const rows = [...board.querySelectorAll("tbody tr")]
  const tools = board.querySelector(".tools")
  const [input, count] = [tools.querySelector("input"), tools.querySelector("output")]
  tools.hidden = rows.length < 5
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean)
    rows.forEach((row) => {
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word))
    })
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`
  })

  const value = (row, place) => {
    const text = row.cells[place].textContent
    const number = parseFloat(text.replace(/,/g, ""))
    return Number.isNaN(number) ? text : number
  }
  board.querySelectorAll("thead th").forEach((heading, place) => {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = heading.textContent
    heading.replaceChildren(button)
    button.addEventListener("click", () => {
      const first = heading.dataset.first
      const other = first === "ascending" ? "descending" : "ascending"
      const order = heading.getAttribute("aria-sort") === first ? other : first
      board.querySelectorAll("thead th").forEach((th) => th.removeAttribute("aria-sort"))
      heading.setAttribute("aria-sort", order)
      const sign = order === "ascending" ? 1 : -1
      const sorted = rows.toSorted((a, b) => {
        const [left, right] = [value(a, place), value(b, place)]
        const [leftMissing, rightMissing] = [left === "–", right === "–"]
        if (leftMissing || rightMissing) return leftMissing - rightMissing // what has no number stays last
        return sign * (typeof left === "number" && typeof right === "number" ? left - right : `${left}`.localeCompare(right))
      })
      board.querySelector("tbody").append(...sorted)
    })
  })
})
