#!/usr/bin/env bash
# Builds the page, packages/page/dist, unless it is newer than all it is made of. Installs what that needs. Ends with
# 3, and says why, where it cannot be built here.
set -euo pipefail
cd "$(dirname "$0")"

cannot() {
    echo "web: the page cannot be built: $1" >&2
    exit 3
}

command -v npm >/dev/null || cannot "no Node with npm"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    cannot "Node is older than 20.19"

# Installed once, and anew when the lock changes.
wanted=$(cat package-lock.json; node --version)
if [ "$(cat node_modules/.wanted 2>/dev/null)" != "$wanted" ]; then
    echo "web: installing packages with npm" >&2
    npm ci --no-audit --no-fund --loglevel=error || cannot "npm cannot install the packages"
    printf '%s\n' "$wanted" >node_modules/.wanted
fi

built=packages/page/dist/index.html
made_of=(../../proto package-lock.json packages/client/src packages/page/src packages/page/public
    packages/page/index.html packages/page/vite.config.ts)
if [ -e "$built" ] && [ -d packages/client/src/gen ] &&
    [ -z "$(find "${made_of[@]}" -path '*/gen' -prune -o -newer "$built" -type f -print -quit)" ]; then
    exit 0
fi
npm run --silent gen
npm run --silent build --workspace @adda/page
