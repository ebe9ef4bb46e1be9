# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lib.sh: Debian's sources of a package.

# debian_source ROOT PACKAGE [SUITE]: unpacked in ROOT/PACKAGE-VERSION, by an apt of its own (state,
# cache, package sources below ROOT) from where the live system has its packages, or from SUITE of
# the same mirrors.
debian_source() {
	local root=$1 package=$2 suite=${3:-} file
	rm -rf "$root"
	mkdir -p "$root"/{state/lists/partial,cache/archives/partial,parts,sources}
	: >"$root/status"
	# The package sources are those of the live system, asked for source packages.
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		if [ -e "$file" ]; then sed -n 's/^deb[[:space:]]/deb-src /p' "$file"; fi
	done >"$root/sources/all.list"
	for file in /etc/apt/sources.list.d/*.sources; do
		if [ -e "$file" ]; then
			sed 's/^Types:.*/Types: deb-src/' "$file" >"$root/sources/${file##*/}"
		fi
	done
	if [ -n "$suite" ]; then
		# Only Debian's mirror has it, and not under the names of a suite's updates.
		sed -i -n "/debian-security/d; s|^\\(deb-src .*/debian/*\\) .*|\\1 $suite main|p" \
			"$root/sources/all.list"
		for file in "$root"/sources/*.sources; do
			if grep -q '^URIs:.*/debian/*$' "$file" 2>/dev/null; then
				# One stanza for each URI; those of the security archive have none
				# of this suite.
				awk -v RS= -v ORS='\n\n' '/URIs:[^\n]*\/debian\/*(\n|$)/' "$file" |
					sed "s/^Suites:.*/Suites: $suite/" >"$file.new"
				mv "$file.new" "$file"
			else
				rm -f "$file"
			fi
		done
	fi
	{
		# The live system's settings of proxies, retries and others, without its hooks and
		# clean-up rules.
		apt-config dump | grep -E '^Acquire::' |
			grep -vE '^Acquire::(IndexTargets|Languages)|""; *$|::;' || :
		cat <<-CONF
			APT::Sandbox::User "root";
			Acquire::Languages "none";
			Dir::State "$root/state";
			Dir::State::status "$root/status";
			Dir::Cache "$root/cache";
			Dir::Etc::sourcelist "/dev/null";
			Dir::Etc::sourceparts "$root/sources";
			Dir::Etc::parts "$root/parts";
			Dir::Etc::main "/dev/null";
		CONF
	} >"$root/apt.conf"
	export APT_CONFIG=$root/apt.conf
	apt-get -q update || say "some package source failed"
	cd "$root" && apt-get -q source --only-source "$package"
}
