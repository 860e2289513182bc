/// The scripts of `completions/`: they hand the line to the program, which knows its verbs, options
/// and names.
enum CompletionScript: String, CaseIterable {
  case bash, zsh, fish

  /// Where it lies in `completions/`, under the name that each shell looks for.
  var fileName: String {
    switch self {
    case .bash: "jitconnect.bash"
    case .zsh: "_jitconnect"
    case .fish: "jitconnect.fish"
    }
  }

  var text: String {
    switch self {
    case .bash: Self.bashText
    case .zsh: Self.zshText
    case .fish: Self.fishText
    }
  }

  private static let bashText = #"""
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
    """# + "\n"

  private static let zshText = #"""
    #compdef jitconnect
    # zsh completion for jitconnect. Written by: jitconnect --complete script zsh

    _jitconnect() {
      local line word help
      local -a whole whole_shown part part_shown
      local -i files=0
      while IFS= read -r line; do
        if [[ $line == :files ]]; then
          files=1
          continue
        fi
        word=${line%%$'\t'*}
        help=${line#$word}
        help=${help#$'\t'}
        if [[ $word == *' ' ]]; then
          word=${word% }
          whole+=("$word")
          whole_shown+=("$word${help:+  -- $help}")
        else
          part+=("$word")
          part_shown+=("$word${help:+  -- $help}")
        fi
      done < <(jitconnect --complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
      local -i found=1
      (( $#whole )) && compadd -l -d whole_shown -a whole && found=0
      (( $#part )) && compadd -l -S '' -d part_shown -a part && found=0
      (( files )) && _files && found=0
      return found
    }

    # Read by compinit, or sourced.
    if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
      _jitconnect "$@"
    else
      compdef _jitconnect jitconnect
    fi
    """# + "\n"

  private static let fishText = #"""
    # fish completion for jitconnect. Written by: jitconnect --complete script fish

    function __jitconnect_complete
        set -l words (commandline -opc)
        for line in (jitconnect --complete fish $words[2..-1] (commandline -ct) 2>/dev/null)
            if test "$line" = :files
                __fish_complete_path (commandline -ct)
            else
                string replace -r '^([^\t]*) (\t|$)' '$1$2' -- $line
            end
        end
    end

    complete -c jitconnect -f -a '(__jitconnect_complete)'
    """# + "\n"
}
