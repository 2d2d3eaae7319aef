//! Packs an image by hand: `pack-image LOADER KERNEL ROOT-TASK OUT`.

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [loader, kernel, root, out] = args.as_slice() else {
        anyhow::bail!("usage: pack-image LOADER KERNEL ROOT-TASK OUT");
    };
    let image = image_packer::image::pack(
        &std::fs::read(loader)?,
        &std::fs::read(kernel)?,
        &std::fs::read(root)?,
    )?;
    println!("{:#x?}", image.payload);
    std::fs::write(out, image.bytes)?;
    Ok(())
}
