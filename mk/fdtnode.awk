# SPDX-License-Identifier: BSD-2-Clause
# Reads a tree as `dtc -O dts` prints it and prints one node (-v node=PATH), a property a line, so
# that the same node of two trees can be compared: phandles become the path of the node they name,
# an operating-points table is written out, and no status is status "okay".

function hex(text,    i, n) {
	n = 0
	text = tolower(text)
	sub(/^0x/, "", text)
	for (i = 1; i <= length(text); i++)
		n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return n
}

# What a cell names: a path, or `nothing`, which no comparison with a sound tree survives.
function target(cell) { return (hex(cell) in path_of) ? path_of[hex(cell)] : "nothing" }

# References with as many cells after each as its target says in COUNT ("" = none).
function references(value, count,    cell, n, i, k, out, to) {
	n = split(value, cell, " ")
	for (i = 1; i <= n; i++) {
		to = target(cell[i])
		out = out " " to
		for (k = count == "" ? 0 : hex(cells(prop[to, count])); k > 0; k--)
			out = out ":" hex(cell[++i])
	}
	return out
}

function cells(value) {
	gsub(/[<>]/, "", value)
	return value
}

function numbers(value,    cell, n, i, out) {
	n = split(cells(value), cell, " ")
	for (i = 1; i <= n; i++) out = out sprintf(" %.0f", hex(cell[i]))
	return out
}

# A supply also says what its regulator is called.
function supply(value,    to) {
	to = target(cells(value))
	if ((to, "regulator-name") in prop) return " " to " " prop[to, "regulator-name"]
	return " " to " " (to ~ /\/regulators\// ? "regulator" : "no regulator")
}

function table(value,    to, i, hz, out) {
	to = target(cells(value))
	out = " " prop[to, "compatible"]
	for (i = 1; i <= nodes; i++) {
		if (index(node_at[i], to "/") != 1) continue
		split(numbers(prop[node_at[i], "opp-hz"]), hz, " ")
		out = out " " sprintf("%.0f", hz[1] * 4294967296 + hz[2]) "Hz@"
		out = out substr(numbers(prop[node_at[i], "opp-microvolt"]), 2) "uV"
	}
	return out
}

/^[ \t]*[^ \t=]+ \{$/ {
	name = $1
	path = name == "/" ? "" : path "/" name
	node_at[++nodes] = path
	next
}
/^[ \t]*\};$/ {
	sub(/\/[^\/]*$/, "", path)
	next
}
/;$/ && nodes {
	line = $0
	sub(/^[ \t]+/, "", line)
	sub(/;$/, "", line)
	at = index(line, " = ")
	name = at ? substr(line, 1, at - 1) : line
	value = at ? substr(line, at + 3) : ""
	prop[path, name] = value
	if (path == node) order[++properties] = name
	if (name == "phandle") path_of[hex(cells(value))] = path
}
END {
	if (!((node, "status") in prop)) print "status \"okay\""
	for (p = 1; p <= properties; p++) {
		name = order[p]
		value = prop[node, name]
		if (name == "phandle") continue
		else if (name ~ /^(clocks|assigned-clocks|assigned-clock-parents)$/)
			value = references(cells(value), "#clock-cells")
		else if (name == "power-domains")
			value = references(cells(value), "#power-domain-cells")
		else if (name ~ /-supply$/) value = supply(value)
		else if (name == "operating-points-v2") value = table(value)
		else if (value ~ /^</) value = numbers(value)
		else value = " " value
		print name value
	}
}
