"""Who gives secrets: files and the keyring of the system. Others come by plugins, through the same door."""
