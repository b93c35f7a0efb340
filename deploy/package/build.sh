#!/usr/bin/env bash
# Builds what operators install, for amd64 and arm64, into dist/. From one commit it always makes the same bytes.
#
#   build.sh deb      Debian packages
#   build.sh rpm      RPM packages
#   build.sh release  both, archives of the binary, SBOMs, the licences of all modules and SHA256SUMS
#
# make runs it with the paths of the programs NFPM and CYCLONEDX, and with the build flags TAGS and LDFLAGS.
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 022
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
architectures=(amd64 arm64)
stage=dist/stage

# binary builds for one architecture. The version in it is that of the commit, so this needs git.
binary() {
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 GOAMD64=v1 GOARM64=v8.0 GOFLAGS='' \
		go build -trimpath -buildvcs=true -tags "$TAGS" -ldflags "$LDFLAGS" -o "$stage/$1/signal-sidecar" ./cmd/signal-sidecar
}

# texts lets the binary print its manual page and completions, and compresses the changelogs.
texts() {
	local program shell
	program=$stage/$(go env GOHOSTARCH)/signal-sidecar
	"$program" man | gzip -9n >"$stage/signal-sidecar.8.gz"
	for shell in bash zsh fish; do
		"$program" completion "$shell" >"$stage/completion.$shell"
	done
	gzip -9n <CHANGELOG.md >"$stage/changelog.gz"
	gzip -9n >"$stage/changelog.Debian.gz" <<-EOF
		signal-sidecar (1:$version-1) unstable; urgency=medium

		  * See /usr/share/doc/signal-sidecar/changelog.gz.

		 -- signal-sidecar maintainers <signal-sidecar@users.noreply.github.com>  $(date -R -d "@$SOURCE_DATE_EPOCH")
	EOF
}

# licenses writes the licence texts of the modules in the binaries, and adds their names to the SBOMs.
licenses() {
	go run ./deploy/package/licenses -tags "$TAGS" ./cmd/signal-sidecar "$@" >"$stage/THIRD_PARTY_LICENSES"
}

# examples gathers what operators copy from deploy/, without its tests and what only works in the compose stack.
examples() {
	local file
	git ls-files deploy | grep -vE '^deploy/(package|compose|grafana/provisioning)/|_test\.go$|/(testdata|tests)/' | while read -r file; do
		case $file in
		deploy/systemd/signal-sidecar*.service | deploy/systemd/signal-sidecar*.socket) ;; # installed
		*) install -D -m 644 "$file" "$stage/examples/${file#deploy/}" ;;
		esac
	done
}

# docs gathers the documentation for operators. Its links lead to the installed examples and units, and to the repository
# for what is not installed.
docs() {
	local file developers='architecture|decisions|dependencies|performance'
	local web=https://github.com/signal-sidecar/signal-sidecar/blob/main examples=/usr/share/doc/signal-sidecar/examples
	git ls-files docs | grep -vE "^docs/($developers)\.md$" | while read -r file; do
		install -D -m 644 "$file" "$stage/$file"
	done
	sed -i -E "
		s,\]\(\.\./deploy/systemd/(signal-sidecar[^)]*)\),](/usr/lib/systemd/system/\1),g
		s,\]\(\.\./deploy/,](../examples/,g
		s,\]\(\.\./(examples/)?,](\n\1,g; s,\n(examples/),../\1,g; s,\n,$web/,g
		s,\]\((($developers)\.md),]($web/docs/\1,g
		s,(^|[ \`])deploy/,\1$examples/,g" "$stage"/docs/*.md
}

# packages builds the packages of one format.
packages() {
	local arch
	for arch in "${architectures[@]}"; do
		ARCH=$arch VERSION=$version "$NFPM" package --config deploy/package/nfpm.yaml --packager "$1" --target dist/
	done
}

# archive packs the binary of one architecture with what a hand-made installation takes.
archive() {
	local name=signal-sidecar-$version-linux-$1
	local folder=$stage/archive/$name
	install -D -m 755 "$stage/$1/signal-sidecar" "$folder/signal-sidecar"
	install -m 644 LICENSE README.md CHANGELOG.md deploy/package/config deploy/systemd/signal-sidecar.service \
		deploy/systemd/signal-sidecar-{agent,http}.socket \
		"$stage"/{THIRD_PARTY_LICENSES,signal-sidecar.8.gz} "$stage"/completion.* "$folder"
	tar --create --directory "$stage/archive" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
		--mtime="@$SOURCE_DATE_EPOCH" "$name" | gzip -9n >"dist/$name.tar.gz"
}

# sbom lists the modules in the binary of one architecture.
sbom() {
	"$CYCLONEDX" bin -json -std -noserial -notimestamp -version "$tag" \
		-output "dist/signal-sidecar-$version-linux-$1.cdx.json" "$stage/$1/signal-sidecar"
}

case ${1:-} in
deb | rpm | release) ;;
*)
	echo "usage: $0 deb|rpm|release" >&2
	exit 2
	;;
esac

mkdir -p "$stage"
find "$stage" -mindepth 1 -maxdepth 1 ! -name amd64 ! -name arm64 -exec rm -rf {} + # go build knows whether a binary is still good
for arch in "${architectures[@]}"; do binary "$arch"; done
tag=$(go version -m "$stage/amd64/signal-sidecar" | awk '$1 == "mod" { print $3 }')
version=$(deploy/package/version.sh "$tag")
texts
examples
docs

if [ "$1" = release ]; then
	find dist -mindepth 1 -maxdepth 1 ! -name stage -exec rm -rf {} +
	for arch in "${architectures[@]}"; do sbom "$arch"; done
	licenses dist/*.cdx.json
	cp "$stage/THIRD_PARTY_LICENSES" dist/
	packages deb
	packages rpm
	for arch in "${architectures[@]}"; do archive "$arch"; done
	(cd dist && sha256sum THIRD_PARTY_LICENSES signal-sidecar* >SHA256SUMS)
else
	rm -f dist/*."$1"
	licenses
	packages "$1"
fi
