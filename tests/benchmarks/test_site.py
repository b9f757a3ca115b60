from benchmarks.site import others


def test_the_stock_build_is_told_from_other_hosts():
    own = "http://localhost:8000/class/flockpit/"
    asked = [f"{own}app.html", f"{own}pyodide/pyodide.mjs", "data:,x", "blob:http://localhost/1"]
    assert others(asked, own) == []
    asked += ["https://cdn.example.org/a.js", "http://localhost:8001/b", "wss://example.org/ws"]
    assert others(asked, own) == ["cdn.example.org", "example.org", "localhost:8001"]
