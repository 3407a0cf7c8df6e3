# Completion for the shells that Debian has, where each looks for it.
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/vendor-completions
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_bashcompletion_DATA = contrib/completion/bash/qmpin
dist_zshcompletion_DATA = contrib/completion/zsh/_qmpin
dist_fishcompletion_DATA = contrib/completion/fish/qmpin.fish
