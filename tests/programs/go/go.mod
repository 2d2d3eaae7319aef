module persona.test/gotests

go 1.19
