# bash completion for jitconnect. Written by: jitconnect --complete script bash

_jitconnect() {
  local line word
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
      continue
    fi
    word=${line%%$'\t'*}
    # A word that is not whole has no blank at its end.
    [[ $word == *' ' ]] || compopt -o nospace 2>/dev/null
    word=${word% }
    COMPREPLY+=("$word")
  done < <(jitconnect --complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}

complete -F _jitconnect jitconnect
