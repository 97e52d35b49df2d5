"""A command in a User-Mode Linux guest: without root, on this machine's files, with real netem.

The guest is a kernel that runs as ordinary processes of the user. Its root folder is this
machine's, its network is its own, and it can do no more to the machine than the user can. Three
processes take part: the *command* that wants something run (`launching`), a *keeper* in a session
of its own that outlives it by a moment (`keeper`), and the guest's first process (`guest`). What
the guest prints comes out of two serial lines of it, so that the kernel's own messages cannot get
in between, and a third tells it of interrupts. When the command is gone, however it went, the
keeper ends the guest and removes its folder.
"""
